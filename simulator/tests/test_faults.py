"""Every fault does what its name says, as often as ordered, and stores what it says."""

import http.client
import time

import pytest

from simulator.tests.client import item, line, movement, sale

KETTLE = "KE2CTNO0000001"
ANY = {"lastReqDt": "20180101000000"}
BROKEN = (http.client.HTTPException, ConnectionError)


@pytest.fixture
def selling(device):
    device.stocked()
    return lambda number=1: device.post("sales_save", sale(number, [line(KETTLE, 1, 100)]))


def stored(device):
    return device.ledger()["counters"]["invoice"]


@pytest.mark.parametrize(
    ("name", "settings", "number"),
    [
        ("refuse", {}, 0),
        ("lost_before", {"hold_s": 0}, 0),
        ("lost_after", {}, 1),
        ("reset", {}, 1),
        ("outage", {"seconds": 30}, 0),
    ],
)
def test_it_breaks_the_connection(device, selling, server, name, settings, number):
    server.fault(name, endpoint="sales_save", **settings)

    with pytest.raises(BROKEN):
        selling()

    assert stored(device) == number
    assert device.post("invoice_details", invcNo=1).code == ("000" if number else "001")


def test_it_sends_half_an_answer_before_the_reset(device, selling, server):
    server.fault("reset", endpoint="sales_save")

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        selling()


def test_it_holds_a_lost_answer(device, selling, server):
    server.fault("lost_after", endpoint="sales_save", hold_s=0.3)
    started = time.monotonic()

    with pytest.raises(BROKEN):
        selling()

    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("name", "settings", "status", "text"),
    [
        ("html", {}, 504, "<h1>504 Gateway Time-out</h1>"),
        ("html", {"status": 502}, 502, "<h1>502 Bad Gateway</h1>"),
        ("empty_body", {}, 200, ""),
        ("result_code", {"code": "999"}, 200, "There is an unknown error"),
        ("result_code", {"code": "990", "message": "Later"}, 200, "Later"),
        ("refusal", {"message": "No such thing"}, 200, "No such thing"),
        ("unauthorized", {}, 401, "access token expired"),
    ],
)
def test_it_answers_wrongly_once_and_stores_nothing(
    device, selling, server, name, settings, status, text
):
    server.fault(name, endpoint="sales_save", **settings)

    wrong = selling()
    nothing = stored(device)
    right = selling()

    assert (wrong.status, nothing, right.code) == (status, 0, "000")
    assert text in wrong.text


@pytest.mark.parametrize("name", ["html", "empty_body", "result_code"])
def test_it_stores_behind_a_wrong_answer_when_told_to(device, selling, server, name):
    server.fault(name, endpoint="sales_save", stored=True, code="991")

    selling()

    assert stored(device) == 1


def test_it_refuses_a_token_the_way_of_the_gateway(gateway):
    gateway.server.fault("unauthorized", endpoint="code_list")

    refused = gateway.post("code_list", ANY)

    assert (refused.status, refused.json["header"]["responseCode"]) == (401, 401)
    assert gateway.post("code_list", ANY).code == "000"


def test_it_wraps_injected_codes_for_the_gateway(gateway):
    gateway.server.fault("result_code", code="994", endpoint="code_list")

    assert gateway.post("code_list", ANY).json["responseBody"]["resultCd"] == "994"


def test_it_faults_the_token_only_when_named(gateway):
    gateway.server.fault("html", status=503, count=None)
    gateway.log_in()
    gateway.server.fault("html", status=503, endpoint="token")

    answer = gateway.server.request("GET", "/v1/token/generate?grant_type=client_credentials")

    assert answer.status == 503


def test_it_answers_numbers_as_text_and_keys_with_spaces(device, selling, server):
    server.fault("string_numbers", endpoint="sales_save")
    server.fault("spaced_keys", endpoint="sales_save")

    data = selling().data

    assert (data["curRcptNo "], data["totRcptNo "]) == ("1", "1")


def test_it_describes_another_invoice(device, selling, server):
    selling()
    server.fault("wrong_content", endpoint="invoice_details")

    wrong, right = (device.post("invoice_details", invcNo=1).data["salesList"][0] for _ in range(2))

    assert (wrong["invcNo"], wrong["custTin"], wrong["totAmt"]) == (1, "P999999999X", 1100)
    assert (right["custTin"], right["totAmt"]) == ("P000000000B", 100)


def test_it_delays_after_storing(device, selling, server):
    server.fault("latency", ms=200, endpoint="sales_save")
    started = time.monotonic()

    assert selling().code == "000"
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    "settings",
    [
        {"distribution": "uniform", "low_ms": 50, "high_ms": 90},
        {"distribution": "lognormal", "median_ms": 60, "sigma": 0.1},
        {"distribution": "fixed", "ms": 50},
    ],
)
def test_it_draws_delays(device, server, settings):
    server.fault("latency", **settings)
    started = time.monotonic()

    device.post("branch_list", ANY)

    assert 0.03 <= time.monotonic() - started < 1


def test_it_has_a_default_delay(device, server):
    server.control("PUT", "/latency", {"ms": 80})
    started = time.monotonic()

    device.post("branch_list", ANY)

    assert time.monotonic() - started >= 0.08


def test_it_skips_and_counts_calls(device, server):
    identifier = server.fault("html", endpoint=["branch_list", "notice_list"], after=2, count=2)

    statuses = [device.post("branch_list", ANY).status for _ in range(6)]
    device.post("code_list", ANY)

    found = server.control("GET", "/faults")["faults"][0]
    assert statuses == [200, 200, 504, 504, 200, 200]
    assert (found["id"], found["matched"], found["hits"], found["over"]) == (identifier, 6, 2, True)


def test_it_hits_one_device_only(device, server):
    server.fault("html", pin="A000000000A", count=None)
    server.fault("html", pin=device.pin, branch="01", count=None)

    assert device.post("branch_list", ANY).status == 200


def test_it_removes_faults(device, server):
    first = server.fault("html", count=None, status=502)
    server.fault("html", count=None, status=503)

    server.control("DELETE", f"/faults/{first}")
    second = device.post("branch_list", ANY).status
    server.control("DELETE", "/faults")

    assert (second, device.post("branch_list", ANY).status) == (503, 200)
    assert server.request("DELETE", f"/_simulator/faults/{first}").status == 404


def test_it_keeps_the_next_fault_for_the_next_call(device, server):
    server.fault("html", status=502)
    server.fault("html", status=503)

    assert [device.post("branch_list", ANY).status for _ in range(3)] == [502, 503, 200]


def test_it_is_down_until_it_is_up(device, server):
    server.control("PUT", "/outage", {"down": True})
    for path in ("/etims-api/selectBhfList", "/v1/token/generate"):
        with pytest.raises(BROKEN):
            server.request("POST", path, {})

    server.control("PUT", "/outage", {"down": False})

    assert device.post("branch_list", ANY).code == "000"


def test_it_ends_an_outage_in_time(device, server):
    server.fault("outage", seconds=1)
    with pytest.raises(BROKEN):
        device.post("branch_list", ANY)
    time.sleep(1.05)

    assert device.post("branch_list", ANY).code == "000"


def pattern(device, calls=30):
    return [device.post("branch_list", ANY).status for _ in range(calls)]


def test_it_draws_by_seed(device, server):
    runs = []
    for seed in (1, 1, 2):
        server.control("DELETE", "/faults")
        server.fault("html", probability=0.5, seed=seed, count=None)
        runs.append(pattern(device))

    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(504) < 25


def chaos(server, seed, **more):
    mix = {"html": 0.3, "result_code": {"p": 0.2, "code": "990"}, "empty_body": 0.1}
    server.control("POST", "/chaos", {"seed": seed, "probabilities": mix, **more})


def outcomes(device, calls=40):
    answers = [device.post("branch_list", ANY) for _ in range(calls)]
    return [(one.status, one.text and "990" in one.text, not one.text) for one in answers]


def test_it_mixes_chaos_by_seed_and_calls_alone(device, server):
    chaos(server, 5)
    first = outcomes(device)
    chaos(server, 5)
    again = []
    for _ in range(40):
        again.extend(outcomes(device, 1))
        device.post("notice_list", ANY)  # other calls change nothing
    chaos(server, 6)
    other = outcomes(device)
    server.control("DELETE", "/chaos")

    assert first == again != other
    assert len(set(first)) == 4
    assert set(outcomes(device)) == {(200, False, False)}


def test_it_limits_chaos_to_a_device(device, server):
    chaos(server, 5, pin="A000000000A")

    assert set(outcomes(device)) == {(200, False, False)}
    assert server.control("GET", "/chaos")["chaos"]["calls"] == 0


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/faults", {"fault": "earthquake"}, "No fault 'earthquake'"),
        ("/faults", {"fault": "html", "endpoint": "sale"}, "No endpoint 'sale'"),
        ("/faults", {"fault": "html", "status": 200}, "status must be one of"),
        ("/faults", {"fault": "html", "count": -1}, "count must be a whole number"),
        ("/faults", {"fault": "html", "probability": 2}, "from 0 to 1"),
        ("/faults", {"fault": "latency"}, "needs 'ms'"),
        ("/faults", {"fault": "latency", "distribution": "odd"}, "distribution must be"),
        ("/faults", {"fault": "result_code"}, "needs 'code'"),
        ("/faults", {"fault": "outage"}, "needs 'seconds'"),
        ("/faults", {"fault": "lost_before", "hold_s": "long"}, "hold_s must be a number"),
        ("/faults", b"{", "not JSON"),
        ("/faults", [], "must be a JSON object"),
        ("/chaos", {}, "probabilities must be an object"),
        ("/chaos", {"probabilities": {"html": 0.7, "reset": 0.7}}, "more than 1"),
        ("/devices", {"pin": "A1"}, "branch must be a text"),
        ("/devices", {"pin": "A1", "branch": "00", "serial": "S"}, "nine digits"),
        ("/taxpayers", {"pin": "A1"}, "must be texts"),
    ],
)
def test_it_explains_a_wrong_order(server, path, body, text):
    answer = server.request("POST", f"/_simulator{path}", body)

    assert answer.status == 400
    assert text in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/rates", {"F": 1}), ("/rates", {"E": "x"}), ("/outage", {}), ("/latency", {"ms": -1})],
)
def test_it_explains_a_wrong_setting(server, path, body):
    assert server.request("PUT", f"/_simulator{path}", body).status == 400


def test_it_takes_no_orders_from_other_web_sites(server):
    foreign = {"Origin": "https://elsewhere.example"}
    own = {"Origin": f"http://{server.host}:{server.port}"}

    assert server.request("POST", "/_simulator/reset", {}, foreign).status == 403
    assert server.request("POST", "/_simulator/reset", {}, own).status == 200


def test_it_repeats_an_approval_and_refuses_a_second_serial(server, pin):
    first = server.request("POST", "/_simulator/devices", approval(pin))
    again = server.request("POST", "/_simulator/devices", {**approval(pin), "mode": "lenient"})
    other = server.request("POST", "/_simulator/devices", {**approval(pin), "serial": "S2"})

    assert (first.status, again.status, other.status) == (201, 200, 409)
    assert again.json["mode"] == "lenient"
    assert "cmc_key" not in again.json


def approval(pin):
    return {"pin": pin, "branch": "00", "serial": "S1"}


def test_it_counts_calls_by_answer(device, selling, server):
    selling()
    server.fault("html", endpoint="sales_save")
    selling(2)
    selling(9)

    stats = server.control("GET", "/stats")["endpoints"]["sales_save"]

    assert stats == {"000": 1, "none+html": 1, "refused": 1}


def test_it_tells_the_ledger_in_plain_words(device, selling):
    selling()

    ledger = device.ledger()

    invoice = ledger["invoices"][0]
    assert (invoice["number"], invoice["kind"], invoice["original"]) == (1, "S", 0)
    assert (invoice["total"], invoice["tax"]) == ("100.00", "13.79")
    assert (invoice["buyer_pin"], invoice["buyer_name"]) == ("P000000000B", "Jamii Hardware Ltd")
    assert (invoice["reference"], invoice["receipt_number"]) == ("T-1", 1)
    assert (ledger["items"], ledger["stock"]) == ([KETTLE], {KETTLE: 100})
    assert device.server.request("GET", "/_simulator/ledger?pin=x&branch=00").status == 404


def test_it_forgets_everything_on_reset(device, selling, server):
    selling()
    server.fault("html", count=None)

    server.control("POST", "/reset")

    assert server.control("GET", "/devices")["devices"] == []
    assert server.control("GET", "/faults")["faults"] == []
    assert server.control("GET", "/stats")["calls"] == 0


def test_it_shows_keys_only_when_asked(device, server):
    assert "cmc_key" not in server.control("GET", "/devices")["devices"][0]
    assert server.control("GET", "/devices?with_key=1")["devices"][0]["cmc_key"] == device.key


def test_it_loses_a_movement_answer_but_not_the_movement(device, server):
    device.post("item_class_list", ANY)
    device.post("item_save", item(KETTLE))
    server.fault("lost_after", endpoint="stock_io_save")
    with pytest.raises(BROKEN):
        device.post("stock_io_save", movement(1, [line(KETTLE, 5, 100)]))

    again = device.post("stock_io_save", movement(1, [line(KETTLE, 5, 100)]))

    assert again.message == "Invalid sarNo: Expected: 2 but found: 1"
    assert device.ledger()["stock"] == {KETTLE: 5}
