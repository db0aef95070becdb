"""Many at once, on real PostgreSQL and against the simulator: whoever is first, nothing doubles."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone

from devices import calls
from devices.models import Call
from outbox import services
from outbox.delivery import drain
from outbox.models import Lane, Status, Transmission
from sales.models import Invoice, Receipt

pytestmark = pytest.mark.django_db(transaction=True)
TILLS = 50


def together(*functions):
    """Run all at the same moment, each in a thread of its own; their results in order."""
    start = threading.Barrier(len(functions))

    def run(function):
        try:
            start.wait(30)
            return function()
        finally:
            close_old_connections()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, f) for f in functions]]


@pytest.fixture
def post(shop):
    """A request of a till of its own; test clients are not shared between threads."""

    def send(path, body, **headers):
        options = {"content_type": "application/json", "headers": shop.headers(**headers)}
        return Client().post(path, body, **options)

    return send


@pytest.fixture
def watched(monkeypatch):
    """The real client, with a list of how many sales were at KRA at once."""
    real, lock = calls.client(), threading.Lock()
    now: Counter[str] = Counter()
    seen: list[int] = []

    class Watched:
        def post(self, target, endpoint, body):
            with lock:
                now[endpoint] += 1
                seen.append(now[endpoint])
            try:
                return real.post(target, endpoint, body)
            finally:
                with lock:
                    now[endpoint] -= 1

    monkeypatch.setattr(calls, "client", Watched)
    return seen


def drain_until_done(lane_id, is_done):
    """A worker that is rung for again and again."""
    until = time.monotonic() + 60
    while not is_done():
        drain(lane_id, until=time.monotonic() + 0.2)
        assert time.monotonic() < until


def test_one_reference_from_fifty_tills_is_one_sale(shop, post):
    body = shop.sale("T-1")

    answers = together(*[lambda: post("/api/sales/", body)] * TILLS)

    assert Counter(answer.status_code for answer in answers) == {202: 1, 200: TILLS - 1}
    replays = [answer for answer in answers if answer.status_code == 200]
    assert {answer["Idempotent-Replayed"] for answer in replays} == {"true"}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Transmission.objects.filter(kind="sale").count() == Invoice.objects.count() == 1
    shop.deliver()
    assert [(held["number"], held["reference"]) for held in shop.ledger()] == [(1, "T-1")]


def test_one_reference_with_two_contents_is_one_sale(shop, post):
    bodies = [shop.sale("T-1", remark=f"till {n}") for n in range(8)]

    answers = together(*[lambda body=body: post("/api/sales/", body) for body in bodies])

    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 7}
    assert Invoice.objects.count() == 1


def test_ten_tills_that_wait_are_answered_with_one_receipt(shop, post):
    body = shop.sale("T-1")

    answers = together(*[lambda: post("/api/sales/", body, Prefer="wait=20")] * 10)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 9}
    assert len({answer.json()["receipt"]["signature"] for answer in answers}) == 1
    assert len(shop.ledger()) == 1


def test_fifty_sales_while_four_workers_drain_are_numbered_without_a_gap(shop, post, watched):
    lane_id = services.lane_id_of(shop.device.pk, "fiscal")
    sales = [shop.sale(f"T-{n}") for n in range(TILLS)]

    def worker():
        drain_until_done(lane_id, lambda: Receipt.objects.count() == TILLS)

    answers = together(
        *[lambda body=body: post("/api/sales/", body) for body in sales], *[worker] * 4
    )

    assert {answer.status_code for answer in answers if answer is not None} == {202}
    held = shop.ledger()
    assert [row["number"] for row in held] == list(range(1, TILLS + 1))
    assert {row["reference"] for row in held} == {f"T-{n}" for n in range(TILLS)}
    ours = Receipt.objects.order_by("number").values_list("number", "invoice__reference")
    assert list(ours) == [(row["number"], row["reference"]) for row in held]
    assert shop.lane.last_number == TILLS
    assert max(watched) == 1
    assert Call.objects.filter(endpoint="sales_save").count() == TILLS


def test_two_workers_on_one_lane_send_one_message_at_a_time(shop, watched):
    shop.simulator.fault("latency", count=None, ms=30)
    for n in range(8):
        shop.sell(f"T-{n}")
    lane_id = shop.lane.pk

    def worker():
        drain_until_done(lane_id, lambda: Receipt.objects.count() == 8)

    together(worker, worker)

    assert max(watched) == 1
    spans = Call.objects.filter(endpoint="sales_save").order_by("started_at")
    times = [(call.started_at, call.finished_at or timezone.now()) for call in spans]
    assert all(end <= start for (_, end), (start, _) in zip(times, times[1:], strict=False))
    assert [row["number"] for row in shop.ledger()] == list(range(1, 9))


def test_two_lanes_are_drained_at_once(shop, open_shop, watched):
    """What keeps one lane in order may not keep others waiting."""
    second = open_shop("B123456789Z", "dvcv1131")
    shop.simulator.fault("latency", count=None, ms=200)
    for each in (shop, second):
        each.sell("T-1")

    together(*[lambda each=each: drain(each.lane.pk, until=0.0) for each in (shop, second)])

    assert max(watched) == 2
    assert [len(each.ledger()) for each in (shop, second)] == [1, 1]


def note(reference, quantity):
    lines = [{"line": 1, "quantity": quantity}]
    return {"reference": reference, "original": "T-1", "reason": "refund", "lines": lines}


def test_two_credit_notes_do_not_give_the_same_goods_back(shop, post):
    sale = shop.sell("T-1", lines=[{"item": "KETTLE", "quantity": "3"}])
    shop.deliver()

    answers = together(
        *[
            lambda n=n: post(
                "/api/credit-notes/", note(f"C-{n}", "2") | {"device": shop.device.serial}
            )
            for n in range(6)
        ]
    )

    assert Counter(answer.status_code for answer in answers) == {202: 1, 400: 5}
    shop.deliver()
    assert Invoice.objects.filter(original=sale).count() == 1
    assert [row["number"] for row in shop.ledger()] == [1, 2]


def test_credit_notes_that_fit_together_all_pass(shop, post):
    shop.sell("T-1", lines=[{"item": "KETTLE", "quantity": "3"}])
    shop.deliver()

    answers = together(
        *[
            lambda n=n: post(
                "/api/credit-notes/", note(f"C-{n}", "1") | {"device": shop.device.serial}
            )
            for n in range(5)
        ]
    )

    assert Counter(answer.status_code for answer in answers) == {202: 3, 400: 2}


@pytest.mark.parametrize("turn", range(8))
def test_a_sale_is_voided_or_sent_but_never_both(shop, post, turn):
    sale = shop.sell("T-1")
    lane_id = shop.lane.pk

    def void():
        return post(f"/api/invoices/{sale.pk}/void/", {"reason": "changed his mind"})

    def work():
        time.sleep(turn * 0.005)  # another place of the race each time
        drain(lane_id, until=0.0)

    answer, _ = together(void, work)

    held, status = shop.ledger(), shop.status(sale)
    if answer.status_code == 200:
        assert (status, held) == ("voided", [])
        assert Transmission.objects.get(kind="sale").status == Status.CANCELLED
    else:
        assert answer.status_code == 409
        assert status == "signed"
        assert [row["reference"] for row in held] == ["T-1"]
    assert Lane.objects.get(pk=lane_id).last_number == len(held)


@pytest.fixture
def refused(shop):
    shop.simulator.fault("result_code", code="910")
    sale = shop.sell("T-1")
    shop.deliver()
    assert shop.status(sale) == "refused"
    return sale


def test_a_refused_sale_is_corrected_once(shop, post, refused):
    body = shop.sale("")
    del body["reference"]

    answers = together(
        *[
            lambda n=n: post(f"/api/invoices/{refused.pk}/correct/", body | {"remark": f"try {n}"})
            for n in range(6)
        ]
    )

    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 5}
    shop.deliver()
    assert Invoice.objects.filter(reference="T-1").count() == 2
    assert Invoice.objects.get(reference="T-1", is_current=True).version == 2
    assert [row["reference"] for row in shop.ledger()] == ["T-1"]


def test_a_refused_sale_is_corrected_or_voided_but_never_both(shop, post, refused):
    body = shop.sale("", remark="corrected")
    del body["reference"]

    corrected, voided = together(
        lambda: post(f"/api/invoices/{refused.pk}/correct/", body),
        lambda: post(f"/api/invoices/{refused.pk}/void/", {"reason": "typed twice"}),
    )

    assert sorted([corrected.status_code, voided.status_code]) in ([200, 409], [202, 409])
    shop.deliver()
    assert len(shop.ledger()) == (corrected.status_code == 202)
    assert Invoice.objects.filter(reference="T-1", is_current=True).count() == 1


def test_a_device_is_initialised_by_one_of_many(shop, post):
    post("/api/branches/", {"code": "01", "name": "Mombasa"})
    shop.simulator.approve(shop.pin, "01", "dvcv2000")
    body = {"serial": "dvcv2000", "branch": "01"}

    answers = together(*[lambda: post("/api/device/init/", body)] * 6)

    codes = Counter(answer.status_code for answer in answers)
    assert codes[200] >= 1
    assert set(codes) <= {200, 409}
    assert Call.objects.filter(endpoint="init", reference="dvcv2000").count() == 1
