"""A log line holds what is on the list, and never a secret, whoever passes one."""

import json
import logging
import sys

import pytest

from core.context import request_id
from core.logs import ContextFilter, JSONFormatter

KEY = "CMCKEY0123456789ABCDEF"
TOKEN = "etims_Xy7-zM4xK9pL2vN8bR5yH1jF6gD3sA0cU7iO2eT9kX4"


def line(message, *args, exc_info=None, **extra):
    """What a handler configured like ours writes for one log call."""
    record = logging.LogRecord("t", logging.INFO, "t.py", 1, message, args, exc_info)
    record.__dict__.update(extra)
    assert ContextFilter().filter(record)
    return JSONFormatter().format(record)


def test_it_writes_one_json_object_with_the_names_on_the_list():
    token = request_id.set("till-7")

    written = json.loads(line("kra %s", "call", device=7, ms=12, code="000"))

    request_id.reset(token)
    assert written.pop("time")
    assert written == {
        "level": "INFO",
        "logger": "t",
        "message": "kra call",
        "request_id": "till-7",
        "device": 7,
        "ms": 12,
        "code": "000",
    }


def test_it_drops_names_that_are_not_on_the_list():
    written = line("call", headers={"cmcKey": KEY}, payload=KEY, cmc_key=KEY, request=object())

    assert KEY not in written
    assert not {"headers", "payload", "cmc_key", "request"} & set(json.loads(written))


@pytest.mark.parametrize(
    ("_case", "message", "args"),
    [
        ("JSON", '{{"cmcKey": "{key}"}}', ()),
        ("JSON in JSON", '{{\\"cmcKey\\": \\"{key}\\"}}', ()),
        ("dict", "sent %s", ({"cmcKey": KEY},)),
        ("bytes", "sent %s", (b'{"cmcKey":"' + KEY.encode() + b'"}',)),
        ("pair", "cmcKey={key}", ()),
        ("other case", "CMCKEY: {key}", ()),
        ("header", "Authorization: Token {token}", ()),
        ("bearer header", "authorization: Bearer {token}", ()),
        ("basic header", "Authorization: Basic {token}==", ()),
        ("headers", "headers %s", ({"Authorization": f"Token {TOKEN}", "cmcKey": KEY},)),
        ("header list", "%s", ([("Authorization", f"Token {TOKEN}"), ("cmcKey", KEY)],)),
        ("scheme alone", "Token {token}", ()),
        ("bare token", "issued {token} to the till", ()),
        ("password", "password: {key}", ()),
        ("query", "GET /api/?token={token}&cmcKey={key}", ()),
    ],
)
def test_it_blanks_secrets_in_the_text(_case, message, args):
    message = message.format(key=KEY, token=TOKEN) if not args else message

    written = line(message, *args)

    assert KEY not in written
    assert TOKEN not in written
    assert "***" in written


def test_it_blanks_secrets_in_a_traceback():
    try:
        raise ValueError(f"cmcKey={KEY} for Authorization: Token {TOKEN}")
    except ValueError:
        written = line("call failed", exc_info=sys.exc_info())

    assert "ValueError" in written
    assert KEY not in written
    assert TOKEN not in written


def test_it_blanks_secrets_in_listed_names():
    written = line("call", path=f"/api/?token={TOKEN}", outcome=f"cmcKey={KEY}")

    assert KEY not in written
    assert TOKEN not in written


@pytest.mark.parametrize("text", ["A sale of 3 kettles", "etims_integration.celery", "100 %"])
def test_it_leaves_other_texts_alone(text):
    assert json.loads(line(text))["message"] == text


def test_a_wrong_log_call_never_breaks_the_caller():
    assert "two words %s %s" in line("two words %s %s", "one")
