"""A new version takes over from the old one under load: no request fails, no sale is lost.

Old and new are the same code here. OLD_CODE=folder runs another checkout as the old one, against
the schema of this one: so a release is tried against the version before it.
"""

import os
import threading
import time

import pytest

from devices.models import Call
from outbox.models import Lane, Transmission
from sales.models import Invoice, Receipt

from .stack import START_S, Till, answers, listener, running, wait_until, wait_until_settled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

OLD = {"CODE": os.environ["OLD_CODE"]} if os.environ.get("OLD_CODE") else {}
LATENCY_MS = 80


@pytest.fixture
def stack(simulator):
    with running(simulator, LOG_LEVEL="INFO", KRA_READ_TIMEOUT="20") as made:
        yield made


@pytest.fixture
def door():
    held, url = listener()
    yield held.fileno(), url
    held.close()


def is_ready(stack, name, words="ready."):
    wait_until(lambda: words in stack.log(name), START_S, lambda: stack.log(name))


def ended_well(process, seconds):
    started = time.monotonic()
    code = process.wait(seconds)
    assert code == 0, code
    return time.monotonic() - started


def assert_books_agree(shop, references):
    held = shop.ledger()
    receipts = Receipt.objects.filter(invoice__device=shop.device).order_by("number")
    ours = [(r.number, r.invoice.reference, r.signature) for r in receipts]
    assert ours == [(h["number"], h["reference"], h["signature"]) for h in held]
    assert [h["number"] for h in held] == list(range(1, len(held) + 1))
    assert sorted(h["reference"] for h in held) == sorted(references)


def replace_workers(stack):
    for n in (1, 2):
        stack.worker(f"new-{n}")
        is_ready(stack, f"new-{n}")
        ended_well(stack.ask_to_stop(f"old-{n}"), 40)


def replace_web(stack, fd):
    # Side by side, until the new one takes requests as well.
    stack.web("new-web", inherit=fd, ACCESS_LOG="-")
    is_ready(stack, "new-web", "POST /api/sales/")
    ended_well(stack.ask_to_stop("old-web"), 45)


def test_a_rolling_restart_under_load_is_not_noticed(open_shop, stack, door):
    fd, url = door
    shops = [open_shop(), open_shop("A987654321Z", "dvc2")]
    shops[0].simulator.call("PUT", "latency", {"ms": LATENCY_MS})
    stack.web("old-web", inherit=fd, **OLD)
    for n in (1, 2):
        stack.worker(f"old-{n}", **OLD)
    stack.beat("old-beat", **OLD)
    wait_until(lambda: answers(url), START_S, lambda: stack.log("old-web"))
    is_ready(stack, "old-2")
    enough = threading.Event()
    tills = [Till([url], s.secret, s.device.serial, "T", timeout=40.0) for s in shops]
    selling = [threading.Thread(target=t.sell_steadily, args=(0.2, enough, 5)) for t in tills]
    for thread in selling:
        thread.start()

    time.sleep(1)
    replace_web(stack, fd)
    ended_well(stack.ask_to_stop("old-beat"), 20)
    stack.beat("new-beat")
    replace_workers(stack)
    time.sleep(1)
    enough.set()
    for thread in selling:
        thread.join(30)
    wait_until_settled(120)

    for shop, till in zip(shops, tills, strict=True):
        assert till.failures == []
        assert len(till.sold) > 20
        assert_books_agree(shop, till.sold)
    # Nobody's outcome was left in doubt by the change of hands.
    assert not Call.objects.filter(outcome__in=[Call.Outcome.OPEN, Call.Outcome.UNKNOWN]).exists()
    assert Invoice.objects.count() == sum(len(till.sold) for till in tills)


def test_a_worker_told_to_leave_finishes_its_call_and_hands_the_lane_over(shop, stack):
    shop.simulator.call("PUT", "latency", {"ms": 2000})
    sales = [shop.sell(f"T-{n}") for n in range(12)]
    stack.worker("old")
    stack.beat()
    wait_until(lambda: Receipt.objects.exists(), START_S, lambda: stack.log("old"))
    # Nobody to take them: its tasks would pile up before the handed over lane.
    ended_well(stack.ask_to_stop("beat"), 40)
    wait_until(lambda: Transmission.objects.filter(status="sending").exists(), 5)

    took = ended_well(stack.ask_to_stop("old"), 40)

    assert took < 15
    assert not Transmission.objects.filter(status__in=["sending", "unknown"]).exists()
    assert not Lane.objects.exclude(lease_until=None).exists()
    assert 2 <= Receipt.objects.count() == len(shop.ledger()) < len(sales)
    shop.simulator.call("PUT", "latency", {"ms": 0})
    stack.worker("new")
    stack.beat("new-beat")
    wait_until_settled(120)
    assert_books_agree(shop, [sale.reference for sale in sales])


def test_a_web_process_told_to_leave_answers_who_waits(shop, stack, door):
    fd, url = door
    shop.simulator.call("PUT", "latency", {"ms": 2000})
    stack.web("old", inherit=fd)
    wait_until(lambda: answers(url), START_S, lambda: stack.log("old"))
    till = Till([url], shop.secret, shop.device.serial, "T")
    waiting = threading.Thread(target=till.sell, args=(0, 10))
    waiting.start()
    wait_until(lambda: Transmission.objects.filter(status="sending").exists(), 20)

    leaving = stack.ask_to_stop("old")
    waiting.join(30)

    ended_well(leaving, 45)
    assert (till.answers, till.failures) == ([("T-0", 201)], [])
    assert_books_agree(shop, ["T-0"])
