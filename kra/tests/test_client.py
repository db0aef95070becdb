import gzip
import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kra import client as client_module
from kra import connections
from kra.answers import read
from kra.client import Client, Timeouts
from kra.errors import KRAError, OutcomeUnknown, Unavailable
from kra.profiles import ENDPOINTS, Host
from kra.tests.conftest import KEY
from kra.tests.server import cut, dribble, hang_up, raw, reply, reset

BODY = b'{"tin":"A123456789Z","bhfId":"00"}'
OK = b'{"resultCd":"000"}'


def test_it_posts_with_identity_in_headers_and_body(server, client, direct):
    server.script.append(reply(OK, Content_Type="application/json"))

    answer = client.post(direct, "code_list", BODY)

    assert (answer.status, answer.body) == (200, OK)
    assert answer.content_type == "application/json"
    assert 0 <= answer.elapsed_ms < 1000
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/selectCodeList")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["tin"] == "A123456789Z"
    assert request.headers["bhfid"] == "00"
    assert request.headers["cmckey"] == KEY
    assert "authorization" not in request.headers
    assert json.loads(request.body) == {"cmcKey": KEY, **json.loads(BODY)}


def test_it_sends_no_identity_and_no_key_when_initialising(server, client, direct):
    server.script.append(reply(OK))

    client.post(direct, "init", BODY)

    (request,) = server.requests
    assert request.body == BODY
    assert not {"tin", "bhfid", "cmckey"} & set(request.headers)


@pytest.mark.parametrize(
    ("_case", "key", "key_in_body", "body", "sent"),
    [
        ("key wanted", "K", True, BODY, b'{"cmcKey":"K",' + BODY[1:]),
        ("key not wanted in the body", "K", False, BODY, BODY),
        ("no key yet", "", True, BODY, BODY),
        ("key that needs escaping", 'K"\\', True, BODY, b'{"cmcKey":"K\\"\\\\",' + BODY[1:]),
        ("empty object", "K", True, b"{ }", b'{"cmcKey":"K"}'),
        ("space before the first member", "K", True, b'{ "a":1}', b'{"cmcKey":"K","a":1}'),
    ],
)
def test_it_splices_the_key_into_the_body(
    server, client, direct, _case, key, key_in_body, body, sent
):
    server.script.append(reply(OK))
    host = replace(direct.host, key_in_body=key_in_body)
    target = replace(direct, host=host, identity=replace(direct.identity, key=key))

    client.post(target, "item_save", body)

    assert server.requests[0].body == sent
    assert server.requests[0].headers.get("cmckey", "") == key


def test_it_takes_nothing_but_an_object(client, direct):
    with pytest.raises(ValueError, match="must be a JSON object"):
        client.post(direct, "item_save", b"[]")


@pytest.mark.parametrize("endpoint_id", sorted(ENDPOINTS))
def test_it_calls_the_path_of_the_profile(server, client, direct, endpoint_id):
    server.script.append(reply(OK))

    client.post(direct, endpoint_id, BODY)

    assert server.requests[0].path == ENDPOINTS[endpoint_id].path_direct


def test_it_reads_the_headers_of_the_answer(server, client, direct):
    server.script.append(reply(b"", 429, Retry_After="17", Date="Mon, 05 Oct 2026 07:15:00 GMT"))

    answer = client.post(direct, "code_list", BODY)

    assert answer.retry_after == 17
    assert answer.date == datetime(2026, 10, 5, 7, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("_case", "value", "seconds"),
    [
        ("seconds", "120", 120.0),
        ("a date", "Mon, 05 Oct 2026 07:15:30 GMT", 30.0),
        ("a date in the past", "Mon, 05 Oct 2026 07:00:00 GMT", 0.0),
        ("ten years", "315360000", 3600.0),
        ("nonsense", "soon", None),
        ("a number that is none", "nan", None),
        ("negative", "-5", None),
    ],
)
def test_it_bounds_how_long_it_is_told_to_wait(server, client, direct, _case, value, seconds):
    server.script.append(reply(b"", 503, Retry_After=value, Date="Mon, 05 Oct 2026 07:15:00 GMT"))

    assert client.post(direct, "code_list", BODY).retry_after == seconds


def test_it_measures_a_retry_date_by_its_own_clock_when_the_server_has_none(server, client, direct):
    server.script.append(reply(b"", 503, Retry_After="Mon, 05 Oct 2099 07:15:00 -0000"))

    assert client.post(direct, "code_list", BODY).retry_after == 3600.0


@pytest.mark.parametrize("value", ["", "yesterday", "Mon, 99 Oct 2026 07:15:00 GMT"])
def test_it_lives_with_an_unreadable_date(server, client, direct, value):
    server.script.append(reply(OK, Date=value))

    assert client.post(direct, "code_list", BODY).date is None


@pytest.mark.parametrize(
    ("_case", "step", "code"),
    [
        ("reset after the request", reset, "connection_reset"),
        ("closed without a word", hang_up, "connection_reset"),
        ("cut body", cut(), "connection_reset"),
        ("cut chunked body", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
         "connection_reset"),
        ("not HTTP", raw(b"SSH-2.0-OpenSSH\r\n"), "connection_reset"),
        ("broken gzip", reply(b"no gzip", Content_Encoding="gzip"), "connection_reset"),
        ("an answer without end", dribble(), "read_timeout"),
    ],
)  # fmt: skip
def test_it_does_not_know_the_outcome_once_bytes_have_left(
    server, connect, direct, _case, step, code
):
    client = connect(read=0.1)
    server.script.append(step)

    with pytest.raises(OutcomeUnknown) as caught:
        client.post(direct, "sales_save", BODY)

    assert caught.value.code == code
    assert len(server.requests) == 1


def test_it_takes_a_cut_header_for_an_empty_answer(server, client, direct):
    server.script.append(raw(b"HTTP/1.1 200 OK\r\nContent-"))

    answer = client.post(direct, "sales_save", BODY)

    with pytest.raises(OutcomeUnknown, match="empty_body"):
        read("sales_save", answer)


def test_it_does_not_know_the_outcome_after_a_read_timeout(server, connect, direct):
    server.script.append(server.silent)

    with pytest.raises(OutcomeUnknown) as caught:
        connect(read=0.1).post(direct, "sales_save", BODY)

    assert caught.value.code == "read_timeout"


def test_it_gives_each_endpoint_its_own_patience(server, connect, direct):
    assert Timeouts().read_for("item_class_list") == 300.0
    assert Timeouts().read_for("code_list") == 120.0
    assert Timeouts().read_for("sales_save") == 30.0
    assert Timeouts(per_endpoint={"init": 1.0}).read_for("init") == 1.0


def test_it_refuses_an_answer_without_measure(server, client, direct, monkeypatch):
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 10)
    server.script.append(reply(b"x" * 11))

    with pytest.raises(OutcomeUnknown):
        client.post(direct, "sales_save", BODY)


def test_it_reads_compressed_and_chunked_answers(server, client, direct):
    packed = gzip.compress(OK)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.script.append(raw(head + chunked))

    assert client.post(direct, "code_list", BODY).body == OK


def test_it_reads_a_long_answer_whole(server, client, direct):
    body = b'{"resultCd":"000","data":"' + b"x" * 1_000_000 + b'"}'
    server.script.append(reply(body))

    assert client.post(direct, "item_class_list", BODY).body == body


def test_it_follows_no_redirect(server, client, direct):
    server.script.append(reply(b"", 302, Location=f"{server.url}/elsewhere"))

    assert client.post(direct, "sales_save", BODY).status == 302
    assert len(server.requests) == 1


def test_nothing_was_sent_when_the_connection_is_refused(client, direct):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with pytest.raises(Unavailable) as caught:
        client.post(replace(direct, host=Host("direct", f"http://127.0.0.1:{port}")), "init", BODY)

    assert caught.value.code == "connect_failed"


def test_nothing_was_sent_when_nobody_picks_up(client, direct):
    with ExitStack() as stack:
        busy = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the queue is full: further calls are not answered at all
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(busy.getsockname())
        host = Host("direct", f"http://127.0.0.1:{busy.getsockname()[1]}")

        with pytest.raises(Unavailable) as caught:
            client.post(replace(direct, host=host), "init", BODY)

    assert caught.value.code == "connect_timeout"


@pytest.mark.parametrize(
    ("_case", "base_url", "code"),
    [
        ("a name that cannot exist", "http://kra.invalid", "dns_failed"),
        ("no address at all", "http://", "connect_failed"),
        ("an address of nothing we speak", "ftp://127.0.0.1", "connect_failed"),
    ],
)
def test_nothing_was_sent_to_an_address_that_leads_nowhere(client, direct, _case, base_url, code):
    with pytest.raises(Unavailable) as caught:
        client.post(replace(direct, host=Host("direct", base_url)), "init", BODY)

    assert caught.value.code == code


def test_nothing_was_sent_when_all_connections_are_busy(server, connect, direct):
    client = connect(read=1.0, pool_size=1)
    server.script.append(server.silent)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, direct, "init", BODY)
        while not server.requests:
            pass

        with pytest.raises(Unavailable) as caught:
            client.post(direct, "init", BODY)

        server.finished.set()
        assert isinstance(first.exception(), OutcomeUnknown)
    assert caught.value.code == "pool_exhausted"


def test_it_keeps_connections_open(server, client, direct):
    server.script.extend([reply(OK), reply(OK)])

    client.post(direct, "code_list", BODY)
    client.post(direct, "code_list", BODY)

    assert [request.connection for request in server.requests] == [1, 1]


def test_it_notices_that_the_server_has_hung_up_meanwhile(server, client, direct):
    def answer_and_close(sock, request):
        reply(OK)(sock, request)
        return False

    server.script.extend([answer_and_close, reply(OK)])

    client.post(direct, "sales_save", BODY)
    server.closed.wait(5)
    client.post(direct, "sales_save", BODY)

    assert [request.connection for request in server.requests] == [1, 2]


def test_it_opens_a_new_connection_after_a_long_pause(server, client, direct, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_LIMIT_S", 0.0)
    server.script.extend([reply(OK), reply(OK)])

    client.post(direct, "sales_save", BODY)
    client.post(direct, "sales_save", BODY)

    assert [request.connection for request in server.requests] == [1, 2]


def test_it_cannot_know_when_the_server_hangs_up_on_a_reused_connection(server, client, direct):
    server.script.extend([reply(OK), hang_up, reply(OK)])

    client.post(direct, "sales_save", BODY)
    with pytest.raises(OutcomeUnknown):
        client.post(direct, "sales_save", BODY)
    assert client.post(direct, "sales_save", BODY).body == OK

    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_it_never_takes_the_rest_of_one_answer_for_the_next(server, connect, direct):
    """A worker's time limit may strike while an answer is being read."""

    class TimeLimitError(Exception):
        pass

    def strike(signum, frame):
        raise TimeLimitError

    client = connect(read=2.0)
    server.script.extend([dribble(), reply(OK)])
    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(TimeLimitError):
            client.post(direct, "sales_save", BODY)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert client.post(direct, "sales_save", BODY).body == OK
    assert server.requests[1].connection == 2


def test_it_is_shared_by_threads(server, connect, direct):
    client = connect(read=2.0, pool_size=4)

    def echo(sock, request):
        return reply(request.body)(sock, request)

    server.script.extend([echo] * 40)
    bodies = [b'{"tin":"%d"}' % number for number in range(40)]
    target = replace(direct, identity=replace(direct.identity, key=""))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: client.post(target, "item_save", body), bodies))

    assert [answer.body for answer in answers] == bodies
    assert len({request.connection for request in server.requests}) <= 4


def test_it_keeps_the_doubt_of_one_thread_from_another(server, connect, direct):
    """One thread waits for an answer while the other cannot even connect."""
    client = connect(read=1.0)
    server.script.append(server.silent)
    nowhere = replace(direct, host=Host("direct", "http://kra.invalid"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, direct, "sales_save", BODY)
        while not server.requests:
            pass

        with pytest.raises(Unavailable):
            client.post(nowhere, "sales_save", BODY)

        server.finished.set()
        assert isinstance(waiting.exception(), OutcomeUnknown)


def test_it_ignores_the_proxies_of_the_environment(server, client, direct, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.script.append(reply(OK))

    assert client.post(direct, "code_list", BODY).body == OK


def test_it_goes_through_the_proxy_it_is_given(server, connect, direct):
    proxied = connect(proxy_url=server.url.replace("://", "://user:pass@"))
    server.script.append(reply(OK))
    target = replace(direct, host=Host("direct", "http://kra.invalid/api"))

    assert proxied.post(target, "code_list", BODY).body == OK
    assert server.requests[0].path == "http://kra.invalid/api/selectCodeList"
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")


def test_nothing_was_sent_when_the_proxy_does_not_let_us_through(server, connect, direct):
    proxied = connect(proxy_url=server.url.replace("://", "://user:pass@"))
    server.script.append(reply(b"", 502))
    target = replace(direct, host=Host("direct", "https://kra.invalid/api"))

    with pytest.raises(Unavailable) as caught:
        proxied.post(target, "sales_save", BODY)

    assert server.requests[0].method == "CONNECT"
    assert "pass" not in str(caught.value)


def test_no_error_and_no_repr_shows_the_key(server, connect, direct):
    server.script.extend([reset, reply(b'{"cmcKey":"%s"}' % KEY.encode())])
    client = connect()

    with pytest.raises(KRAError) as caught:
        client.post(direct, "sales_save", BODY)
    answer = client.post(direct, "sales_save", BODY)

    for thing in (caught.value, direct, answer, client):
        assert KEY not in repr(thing) + str(thing)


def test_it_needs_no_settings(server, direct):
    server.script.append(reply(OK))
    client = Client()

    assert client.post(direct, "code_list", BODY).body == OK
    client.close()
