import hashlib
import json

import pytest

from kra.masking import safe_answer, safe_request
from kra.profiles import ENDPOINTS

KEY = "KEY-NEVER-SHOWN"
INFO = {"tin": "A123456789Z", "mrcNo": "KRA1", "cmcKey": KEY}


def init(**info):
    return {"resultCd": "000", "resultMsg": "Successful", "data": {"info": {**INFO, **info}}}


@pytest.mark.parametrize(
    ("_case", "document"),
    [
        ("direct", init()),
        ("gateway", {"responseHeader": {"responseCode": 200}, "responseBody": init()}),
        ("a key with a trailing space", init(**{"cmcKey ": KEY})),
        ("a key under a new name", init(newKey=KEY)),
        ("a key inside a new object", init(keys={"tin": 1, "primary": [KEY, {"k": KEY}]})),
        ("a key in a list", init(cmcKey=[KEY])),
        ("JSON in a string", {"data": json.dumps(init())}),
        ("a list", [init()]),
        ("a string", KEY),
    ],
)
def test_it_shows_no_key_of_an_initialisation(_case, document):
    shown = safe_answer("init", json.dumps(document).encode())

    assert KEY not in shown
    assert "***" in shown
    json.loads(shown)


def test_it_shows_the_rest_of_an_initialisation():
    shown = json.loads(safe_answer("init", json.dumps(init(bhfNm=None)).encode()))

    assert shown["data"]["info"] == {
        "tin": "A123456789Z",
        "mrcNo": "KRA1",
        "cmcKey": "***",
        "bhfNm": None,
    }
    assert shown["resultMsg"] == "Successful"


def test_it_keeps_only_a_fingerprint_of_a_broken_initialisation():
    body = json.dumps(init()).encode()[:-3]

    shown = safe_answer("init", body)

    digest = hashlib.sha256(body).hexdigest()
    assert shown == f"[not JSON: {len(body)} bytes, SHA-256 {digest}]"


def test_an_empty_answer_is_empty():
    assert safe_answer("init", b"") == ""


def test_it_shows_no_password_of_a_branch_user(examples):
    (request,) = examples["branch_user_save"]["requests"]

    shown = json.loads(safe_request("branch_user_save", json.dumps(request).encode()))

    assert shown == {**request, "pwd": "***"}
    assert "secret" not in safe_request("branch_user_save", b'{"pwd":"secret"')


@pytest.mark.parametrize("endpoint_id", sorted(set(ENDPOINTS) - {"init", "branch_user_save"}))
def test_it_keeps_everything_else_word_for_word(endpoint_id, examples):
    for case in examples[endpoint_id]["answers"]:
        body = json.dumps(case["body"], indent=3).encode()
        assert safe_answer(endpoint_id, body) == body.decode()
    for request in examples[endpoint_id]["requests"]:
        body = json.dumps(request).encode()
        assert safe_request(endpoint_id, body) == body.decode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"cmcKey":"KEY-NEVER-SHOWN","tin":"A"}',
        b'{"tin":"A", "cmcKey " : "KEY\\"-NEVER-SHOWN"}',
        b'{"CMCKEY":"KEY-NEVER-SHOWN',
        b"{'x':1,\"cmcKey\":KEY-NEVER-SHOWN}",
    ],
)
def test_a_key_that_should_not_be_there_is_not_shown(body):
    assert "NEVER-SHOWN" not in safe_request("sales_save", body)
    assert "NEVER-SHOWN" not in safe_answer("sales_save", body)


def test_it_shows_bytes_that_are_no_text():
    assert safe_answer("sales_save", b"caf\xe9 {}") == "caf\\xe9 {}"
