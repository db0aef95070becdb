"""One shape for every refusal, whoever raised it."""

import json
from datetime import datetime
from typing import Annotated

import msgspec
import pytest
from django.test import Client

from core.api import parse
from core.errors import Invalid

pytestmark = pytest.mark.urls("core.tests.urls")

FAILURES = [
    ("invalid", 400, "invalid", "Two things are wrong."),
    ("missing", 404, "not_found", "There is no such thing."),
    ("conflict", 409, "conflict", "Not now."),
    ("large", 413, "too_large", "Too large."),
    ("body", 413, "too_large", "The request body is larger than 1 MB."),
    ("upstream", 502, "kra_unavailable", "KRA is silent."),
    ("http404", 404, "not_found", "Not found."),
    ("denied", 403, "permission_denied", "You do not have permission to perform this action."),
    ("parse", 400, "parse_error", "Malformed."),
    ("fields", 400, "invalid", "Invalid input."),
    ("field", 400, "invalid", "Invalid input."),
    ("list", 400, "invalid", "Invalid input."),
    ("unauthenticated", 403, "not_authenticated", "Authentication credentials were not provided."),
    ("throttled", 429, "throttled", "Request was throttled. Expected available in 0 seconds."),
    ("gone", 500, "error", "Broken."),
    ("suspicious", 400, "bad_request", "The request could not be understood."),
    ("unexpected", 500, "server_error", "An unexpected error was logged under the X-Request-ID."),
]


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def post(client):
    return lambda body: client.post("/basket/", body, content_type="application/json")


def error_of(response):
    assert response["Content-Type"] == "application/json"
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"code", "message", "detail", "help"}
    assert isinstance(error["detail"], list)
    return error


@pytest.mark.parametrize(("case", "status", "code", "message"), FAILURES)
def test_it_answers_every_failure_in_one_shape(client, case, status, code, message):
    response = client.get(f"/fail/{case}/")

    error = error_of(response)
    assert (response.status_code, error["code"], error["message"]) == (status, code, message)
    assert "private" not in response.content.decode()
    assert "secret" not in response.content.decode()


def test_it_says_what_is_wrong_with_each_field_and_what_to_do(client):
    error = error_of(client.get("/fail/invalid/"))

    assert error["detail"] == [
        {
            "field": "lines[2].quantity",
            "reason": "It is negative.",
            "next_step": "Send a positive number.",
        }
    ]


@pytest.mark.parametrize(
    ("case", "pairs"),
    [
        ("fields", [("limit", "Too many."), ("limit", "Not odd.")]),
        ("field", [("limit", "Too many.")]),
        ("list", [("", "Something.")]),
    ],
)
def test_it_lists_the_problems_of_parameters(client, case, pairs):
    error = error_of(client.get(f"/fail/{case}/"))

    assert [(row["field"], row["reason"]) for row in error["detail"]] == pairs


@pytest.mark.parametrize(("case", "seconds"), [("throttled", "1"), ("throttled_for_a_while", "8")])
def test_it_tells_a_throttled_caller_when_to_come_back(client, case, seconds):
    response = client.get(f"/fail/{case}/")

    assert response["Retry-After"] == seconds


def test_an_error_may_bring_its_own_help(client):
    help = error_of(client.get("/fail/conflict/"))["help"]

    assert help == "Wait for the other request. More: docs/errors.md#conflict"


def test_its_help_links_to_published_pages(client, settings):
    settings.DOCS_URL = "https://docs.example.com"

    help = error_of(client.get("/fail/conflict/"))["help"]

    assert help.endswith("https://docs.example.com/errors.html#conflict")


@pytest.mark.parametrize(
    ("_case", "call", "status", "code"),
    [
        ("unknown address", lambda c: c.get("/nowhere/"), 404, "not_found"),
        ("NUL in the address", lambda c: c.get("/fail/%00/"), 404, "not_found"),
        ("wrong method", lambda c: c.delete("/basket/"), 405, "method_not_allowed"),
        ("wrong accept", lambda c: c.get("/fail/invalid/", headers={"Accept": "text/html"}),
         406, "not_acceptable"),
    ],
)  # fmt: skip
def test_it_keeps_the_shape_outside_of_views(client, _case, call, status, code):
    response = call(client)

    assert response.status_code == status
    assert error_of(response)["code"] == code


@pytest.mark.parametrize(
    ("_case", "body", "field", "reason"),
    [
        ("missing", "{}", "reference", "This field is required."),
        ("missing inside", '{"reference":"T","lines":[{}]}', "lines[0].quantity",
         "This field is required."),
        ("unknown", '{"reference":"T","x":1}', "x", "This field is unknown."),
        ("unknown inside", '{"reference":"T","lines":[{"quantity":1,"y":2}]}', "lines[0].y",
         "This field is unknown."),
        ("wrong type", '{"reference":5}', "reference", "Expected `str`, got `int`"),
        ("not an object", "[]", "", "Expected `object`, got `array`"),
    ],
)  # fmt: skip
def test_it_names_the_field_that_does_not_fit(post, _case, body, field, reason):
    response = post(body)

    assert response.status_code == 400
    (problem,) = error_of(response)["detail"]
    assert (problem["field"], problem["reason"]) == (field, reason)
    assert problem["next_step"]


@pytest.mark.parametrize(
    ("_case", "body"),
    [
        ("nothing", b""),
        ("cut", b'{"reference": "T'),
        ("not JSON", b"reference=T"),
        ("two documents", b'{"reference":"T"} {}'),
        ("not UTF-8", b'{"reference":"\xff\xfe"}'),
        ("raw NUL", b'{"reference":"a\x00b"}'),
        ("half a surrogate", b'{"reference":"\\ud800"}'),
        ("nested too deeply", b'{"reference":' + b"[" * 100_000),
    ],
)
def test_it_refuses_what_is_not_json(post, _case, body):
    response = post(body)

    assert response.status_code == 400
    error_of(response)


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000b", r"\\\u0000"])
def test_it_refuses_texts_that_the_database_cannot_hold(post, text):
    response = post(f'{{"reference":"{text}"}}')

    assert response.status_code == 400
    assert error_of(response)["message"] == "The body is not valid JSON."


def test_it_takes_a_text_that_only_looks_like_a_nul(post):
    response = post(r'{"reference":"\\u0000"}')

    assert response.status_code == 200
    assert response.json()["basket"]["reference"] == r"\u0000"


@pytest.mark.parametrize(
    "text", ["two\nlines", "a\ttab", "\x7f", "\x85", "\u2028", "\u2029", "end\r"]
)
@pytest.mark.parametrize(
    ("_case", "name", "field"),
    [("on top", "reference", "reference"), ("inside", "note", "lines[0].note")],
)
def test_it_refuses_controls_that_would_forge_lines(post, _case, name, field, text):
    line = {"quantity": 1} | ({"note": text} if name == "note" else {})
    body = {"reference": text if name == "reference" else "T", "lines": [line]}

    for written in (json.dumps(body), json.dumps(body, ensure_ascii=False)):
        response = post(written.replace("\t", "\\t"))

        assert response.status_code == 400
        (problem,) = error_of(response)["detail"]
        assert problem["field"] == field or "JSON" in error_of(response)["message"]


@pytest.mark.parametrize("text", ["Mama Mboga's", "kílo ½ – “best” 10 €", "ключ", "a\\nb"])
def test_it_takes_any_other_text(post, text):
    response = post(json.dumps({"reference": text}))

    assert response.json()["basket"]["reference"] == text


@pytest.mark.parametrize(
    "body",
    [
        '{"reference":"A","reference":"B"}',
        '{"reference":"A","lines":[{"quantity":1,"quantity":2}]}',
        r'{"reference":"A","re\u0066erence":"B"}',
    ],
)
def test_it_refuses_a_field_that_is_given_twice(post, body):
    response = post(body)

    assert response.status_code == 400
    (problem,) = error_of(response)["detail"]
    assert problem["reason"] == "This field is given twice."


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_it_reads_only_what_calls_itself_json(client, type_, status):
    response = client.generic("POST", "/basket/", b'{"reference":"T"}', content_type=type_)

    assert response.status_code == status
    if status == 415:
        assert "application/json" in error_of(response)["help"]


def test_a_view_may_set_a_smaller_limit(client):
    body = '{"reference":"' + "T" * 100 + '"}'

    response = client.post("/small/", body, content_type="application/json")

    assert response.status_code == 413
    assert error_of(response)["code"] == "too_large"


def test_it_refuses_a_body_that_is_too_large(post, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20

    response = post('{"reference":"' + "T" * 20 + '"}')

    assert response.status_code == 413
    assert error_of(response)["code"] == "too_large"


def test_it_writes_money_as_text(post):
    response = post('{"reference":"T","lines":[{"quantity":"1.50"}]}')

    assert response.json() == {
        "basket": {"reference": "T", "lines": [{"quantity": "1.50", "note": ""}]},
        "amount": "10.50",
    }


class Moment(msgspec.Struct):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    more: list["Moment"] = []


def test_a_moment_is_read_with_any_offset_as_postgresql_takes_it():
    body = b'{"at": "2026-11-22T10:15:00+18:38", "more": [{"at": "2026-11-22T10:15:00-23:59"}]}'

    found = parse(body, Moment)

    assert found.at.isoformat() == "2026-11-21T15:37:00+00:00"
    assert found.more[0].at.isoformat() == "2026-11-23T10:14:00+00:00"


def test_a_moment_beyond_the_calendar_is_refused():
    with pytest.raises(Invalid) as refusal:
        parse(b'{"at": "0001-01-01T00:00:00+18:00"}', Moment)

    assert "no such moment" in refusal.value.problems[0].reason
