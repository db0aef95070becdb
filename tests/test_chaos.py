"""Ten thousand random faults, seeded; afterwards KRA's books and ours agree, number by number."""

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import msgspec
import pytest
from django.db import connections
from django.utils import timezone

from companies.models import ApiToken
from devices.models import Device
from outbox.delivery import drain
from outbox.models import Status, Transmission
from outbox.queries import due_lanes
from sales.acceptance import create_sale
from sales.credit_notes import create_credit_note
from sales.models import Invoice, Receipt
from sales.schemas import CreditNoteInput, SaleInput

from .conftest import deliver_all, skip_backoff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

FAULTS = int(os.environ.get("CHAOS_FAULTS", "10000"))
SEED = int(os.environ.get("CHAOS_SEED", "20261122"))
SHOPS = 6
# Mostly services: it is sales that are tried here, and goods bring two stock messages each.
SKUS = ["KETTLE", "SEED", "FIT"]
BATCH = 20
PROBABILITIES = {
    "refuse": 0.06,
    "lost_before": {"p": 0.08, "hold_s": 0},
    "lost_after": 0.14,
    "reset": 0.08,
    "html": {"p": 0.06, "status": 502},
    "unauthorized": 0.03,
    "empty_body": {"p": 0.06, "stored": True},
    "result_code": {"p": 0.10, "code": "999"},
    "string_numbers": 0.10,
    "spaced_keys": 0.10,
}


def sell_batch(device, token, start, dice):
    """A batch of sales, and now and then a credit note for an earlier one."""
    for n in range(start, start + BATCH):
        lines = [
            {"item": dice.choices(SKUS, [1, 1, 18])[0], "quantity": str(dice.randint(1, 5))}
            for _ in range(dice.randint(1, 3))
        ]
        sale = {"reference": f"S-{n}", "lines": lines, "discount_amount": str(dice.randint(0, 50))}
        create_sale(device, msgspec.convert(sale, SaleInput))
    signed = Receipt.objects.filter(invoice__device=device, invoice__kind="sale")
    signed = signed.filter(invoice__credit_notes=None).select_related("invoice").first()
    if signed is not None:
        original = signed.invoice.reference
        note = {"reference": f"C-{start}", "original": original, "reason": "damaged"}
        create_credit_note(device, msgspec.convert(note, CreditNoteInput), token)


def deliver_in_threads(pool):
    """Each fault ends a lane's turn; time passes; the next turn begins."""
    while True:
        skip_backoff()
        lanes = list(due_lanes().values_list("pk", flat=True))
        if not lanes:
            return
        list(pool.map(drain_lane, lanes))


def drain_lane(lane_id):
    drain(lane_id, until=time.monotonic() + 5)
    Transmission.objects.open().filter(lane=lane_id).update(not_before=timezone.now())
    drain(lane_id, until=time.monotonic() + 5)


def hang_up(pool):
    """Every thread closes its connection, or the test database could not be dropped."""
    together = threading.Barrier(SHOPS)

    def close(_):
        together.wait(10)
        connections.close_all()

    list(pool.map(close, range(SHOPS)))


def assert_books_agree(shop):
    held = shop.simulator.ledger(shop.pin)["invoices"]
    receipts = Receipt.objects.filter(invoice__device=shop.device).order_by("number")
    ours = [
        (r.number, r.invoice.reference, r.invoice.total, r.invoice.tax, r.signature)
        for r in receipts.select_related("invoice")
    ]
    theirs = [
        (h["number"], h["reference"], Decimal(str(h["total"])), Decimal(str(h["tax"])),
         h["signature"])
        for h in held
    ]  # fmt: skip
    assert ours == theirs
    assert [h["number"] for h in held] == list(range(1, len(held) + 1))
    assert max(Counter(h["reference"] for h in held).values()) == 1
    assert shop.lane.last_number == len(held)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_survives_ten_thousand_faults(open_shop, simulator, settings):
    settings.OUTBOX_BREAKER_THRESHOLD = 10**9
    dice, token = random.Random(SEED), ApiToken.issue(name="t", scopes=["platform:admin"])[0]
    shops = [open_shop(f"A12345678{n}Z", f"dvc{n}") for n in range(SHOPS)]
    devices = list(Device.objects.select_related("company", "branch").order_by("pk"))
    simulator.call("POST", "chaos", {"seed": SEED, "probabilities": PROBABILITIES})

    start = 0
    with ThreadPoolExecutor(SHOPS) as pool:
        while faults_hit(simulator) < FAULTS:
            for device in devices:
                sell_batch(device, token, start, dice)
            start += BATCH
            deliver_in_threads(pool)
        hang_up(pool)
    simulator.call("DELETE", "chaos")
    deliver_all()

    assert not Transmission.objects.open().exists()
    states = Counter(Transmission.objects.filter(kind="sale").values_list("status", flat=True))
    assert set(states) <= {Status.ACCEPTED, Status.REFUSED}
    assert states[Status.ACCEPTED] == Receipt.objects.count() > start * SHOPS * 0.9
    for shop in shops:
        assert_books_agree(shop)
    assert Invoice.objects.filter(kind="credit_note").exists() or start == BATCH


def faults_hit(simulator):
    return sum(simulator.call("GET", "chaos")["chaos"]["hits"].values())
