import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kra.answers import read
from kra.errors import DeviceRefused, KRAError, Unavailable
from kra.profiles import Credentials
from kra.tests.conftest import KEY, SECRET
from kra.tests.server import hang_up, reply, reset
from kra.token import Grant, Tokens, read_grant

BODY = b'{"tin":"A123456789Z","bhfId":"00"}'
OK = b'{"responseBody":{"resultCd":"000"}}'
EXPIRED = json.dumps({"fault": {"faultstring": "access token expired"}}).encode()
ONE = Credentials("consumer", SECRET, "app-1")


def grant(token="T1", expires_in: object = "3599"):
    return reply(json.dumps({"access_token": token, "expires_in": expires_in}).encode())


def test_it_sends_token_and_app_id(server, client, gateway):
    server.script.extend([grant(), reply(OK)])

    client.post(gateway, "sales_save", BODY)

    asked, sent = server.requests
    basic = base64.b64encode(f"consumer:{SECRET}".encode()).decode()
    assert (asked.method, asked.path, asked.body) == ("GET", "/token", b"")
    assert asked.headers["authorization"] == f"Basic {basic}"
    assert sent.path == "/v1/sendSalesTransaction"
    assert sent.headers["authorization"] == "Bearer T1"
    assert sent.headers["apigee_app_id"] == "app-1"
    assert sent.headers["cmckey"] == KEY


def test_it_asks_for_a_token_once(server, client, gateway):
    server.script.extend([grant(), reply(OK), reply(OK)])

    client.post(gateway, "sales_save", BODY)
    client.post(gateway, "sales_save", BODY)

    assert [request.method for request in server.requests] == ["GET", "POST", "POST"]


def test_it_puts_a_token_before_the_direct_host_when_told_to(server, client, gateway):
    server.script.extend([grant(), reply(OK)])
    host = replace(gateway.host, profile="direct")

    client.post(replace(gateway, host=host), "sales_save", BODY)

    assert server.requests[1].path == "/v1/saveTrnsSalesOsdc"
    assert server.requests[1].headers["authorization"] == "Bearer T1"


@pytest.mark.parametrize(
    ("_case", "step"),
    [
        ("a fault of the gateway", reply(EXPIRED, 401)),
        ("a fault without status", reply(EXPIRED)),
        ("a header", reply(b'{"header":{"responseCode":401},"body":{}}', 401)),
        ("no JSON", reply(b"<html>", 401)),
    ],
)
def test_it_repeats_once_with_a_new_token(server, client, gateway, _case, step):
    server.script.extend([grant("T1"), step, grant("T2"), reply(OK)])

    answer = client.post(gateway, "sales_save", BODY)

    assert answer.body == OK
    assert server.requests[1].headers["authorization"] == "Bearer T1"
    assert server.requests[3].headers["authorization"] == "Bearer T2"
    assert server.requests[1].body == server.requests[3].body


def test_it_gives_up_after_a_second_refusal(server, client, gateway):
    server.script.extend([grant("T1"), reply(EXPIRED, 401), grant("T2"), reply(EXPIRED, 401)])

    answer = client.post(gateway, "sales_save", BODY)

    assert len(server.requests) == 4
    with pytest.raises(Unavailable) as caught:
        read("sales_save", answer)
    assert caught.value.code == "token_refused"


@pytest.mark.parametrize(
    ("_case", "step"),
    [
        ("a verdict of the back end", reply(b'{"responseBody":{"resultCd":"994"}}', 401)),
        ("a lost back end", reply(b'{"header":{"responseCode":401}}', 504)),
        ("a script that tripped", reply(b'{"fault":{"faultstring":"Unexpected token <"}}')),
        ("a long answer", reply(b" " * 70_000 + b'{"header":{"responseCode":401}}')),
    ],
)
def test_it_never_repeats_what_may_have_passed_the_gate(server, client, gateway, _case, step):
    server.script.extend([grant(), step])

    client.post(gateway, "sales_save", BODY)

    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("_case", "step", "code"),
    [
        ("wrong secret", reply(b"{}", 401), "token_refused"),
        ("unknown key", reply(b"{}", 400), "token_refused"),
        ("forbidden", reply(b"{}", 403), "token_refused"),
        ("overloaded", reply(b"", 503, Retry_After="7"), "token_unavailable"),
        ("empty, as after a POST", reply(b""), "token_unavailable"),
        ("a page", reply(b"<html>"), "token_unavailable"),
        ("reset", reset, "token_unavailable"),
        ("closed", hang_up, "token_unavailable"),
    ],
)
def test_nothing_was_sent_without_a_token(server, client, gateway, _case, step, code):
    server.script.append(step)

    with pytest.raises(Unavailable) as caught:
        client.post(gateway, "sales_save", BODY)

    assert caught.value.code == code
    assert [request.method for request in server.requests] == ["GET"]
    assert SECRET not in str(caught.value)


def test_it_passes_on_how_long_to_wait_for_a_token(server, client, gateway):
    server.script.append(reply(b"", 503, Retry_After="7"))

    with pytest.raises(Unavailable) as caught:
        client.post(gateway, "sales_save", BODY)

    assert (caught.value.retry_after, caught.value.http_status) == (7.0, 503)


def test_nothing_was_sent_when_the_token_call_gets_no_answer(server, connect, gateway):
    server.script.append(server.silent)

    with pytest.raises(Unavailable) as caught:
        connect(read=0.1).post(gateway, "sales_save", BODY)

    assert caught.value.code == "token_unavailable"


@pytest.mark.parametrize("missing", ["credentials", "token_url"])
def test_it_stops_a_device_whose_gateway_is_not_set_up(client, gateway, missing):
    target = (
        replace(gateway, credentials=None)
        if missing == "credentials"
        else replace(gateway, host=replace(gateway.host, token_url=""))
    )

    with pytest.raises(DeviceRefused) as caught:
        client.post(target, "sales_save", BODY)

    assert caught.value.code == "credentials_missing"


def test_it_fetches_one_token_for_many_threads(server, connect, gateway):
    client = connect(read=2.0)
    server.script.append(grant())
    server.script.extend([reply(OK)] * 8)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.post(gateway, "sales_save", BODY), range(8)))

    assert sorted(request.method for request in server.requests) == ["GET"] + ["POST"] * 8


def test_one_refused_token_is_replaced_once():
    fetched = []

    def fetch(url, credentials):
        fetched.append(url)
        return Grant(f"T{len(fetched)}", 3600)

    tokens = Tokens(fetch)
    old = tokens.get("u", ONE)

    assert [tokens.get("u", ONE, refused=old) for _ in range(3)] == ["T2", "T2", "T2"]


@pytest.mark.parametrize(
    ("_case", "lives_s", "fetches"),
    [("long enough", 70.0, 1), ("about to expire", 60.0, 2), ("shorter than the margin", 5.0, 2)],
)
def test_it_fetches_again_before_expiry(_case, lives_s, fetches):
    fetched = []

    def fetch(url, credentials):
        fetched.append(url)
        return Grant("T", lives_s)

    tokens = Tokens(fetch)
    tokens.get("u", ONE)
    tokens.get("u", ONE)

    assert len(fetched) == fetches


def test_it_keeps_the_tokens_of_companies_apart():
    tokens = Tokens(lambda url, credentials: Grant(url + credentials.consumer_secret, 3600))

    assert tokens.get("u", ONE) != tokens.get("u", replace(ONE, consumer_secret="other"))
    assert tokens.get("u", ONE) != tokens.get("v", ONE)


def test_threads_that_waited_share_one_failure():
    started, release = threading.Event(), threading.Event()
    fetched = []

    def fetch(url, credentials):
        fetched.append(url)
        started.set()
        release.wait(5)
        raise Unavailable("token_unavailable", "down", retry_after=3.0, http_status=503)

    tokens = Tokens(fetch)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(tokens.get, "u", ONE)]
        started.wait(5)
        calls += [pool.submit(tokens.get, "u", ONE) for _ in range(3)]
        while sum(call.running() for call in calls) < 4:
            pass
        threading.Event().wait(0.05)  # they have looked at the clock and stand at the lock
        release.set()
        errors = [call.exception() for call in calls]

    assert len(fetched) == 1
    assert {(e.code, e.retry_after, e.http_status) for e in errors if isinstance(e, KRAError)} == {
        ("token_unavailable", 3.0, 503)
    }
    assert len({id(error) for error in errors}) == 4  # one traceback each


def test_a_failure_is_not_remembered():
    answers = [Unavailable("token_unavailable"), Grant("T", 3600)]

    def fetch(url, credentials):
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    tokens = Tokens(fetch)
    with pytest.raises(Unavailable):
        tokens.get("u", ONE)

    assert tokens.get("u", ONE) == "T"


@pytest.mark.parametrize(
    ("_case", "body", "lives_s"),
    [
        ("a string", b'{"access_token":"T","expires_in":"3599"}', 3599.0),
        ("a number", b'{"access_token":"T","expires_in":3599}', 3599.0),
        ("unstated", b'{"access_token":"T"}', 300.0),
        ("nonsense", b'{"access_token":"T","expires_in":"soon"}', 300.0),
    ],
)
def test_it_reads_how_long_a_token_lives(_case, body, lives_s):
    assert read_grant(body) == Grant("T", lives_s)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"access_token":""}', b'{"access_token":7}', b'{"access_token":"a\\nb"}'],
)
def test_it_takes_only_a_token(body):
    with pytest.raises(ValueError):
        read_grant(body)


def test_no_repr_shows_a_token():
    tokens = Tokens(lambda url, credentials: Grant("TOKEN-NEVER-SHOWN", 3600))
    tokens.get("u", ONE)

    assert "NEVER-SHOWN" not in repr([*tokens._slots.values(), Grant("TOKEN-NEVER-SHOWN", 1)])
