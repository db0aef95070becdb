"""Two at once, on real PostgreSQL connections."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from items.models import Item, ItemCounter, StockMovement
from items.services import StockLine, book_stock, sync_items
from outbox.models import Transmission

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def both():
    """Run functions at the same time, each on a connection of its own."""

    def run(*functions):
        def alone(function):
            try:
                return function()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(functions)) as pool:
            return [job.result() for job in [pool.submit(alone, one) for one in functions]]

    return run


@pytest.fixture(autouse=True)
def _no_doorbell(monkeypatch):
    monkeypatch.setattr("outbox.doorbell.ring", lambda *_, **__: True)


def test_it_takes_one_catalogue_twice_at_once(alpha, row, both):
    rows = [row(f"S{number}") for number in range(60)]

    def take():
        return sync_items(alpha, None, rows)

    outcomes = both(take, take, take)

    verdicts = sorted({v.verdict for v in verdicts} == {"created"} for verdicts in outcomes)
    assert verdicts == [False, False, True]
    assert Item.objects.count() == Transmission.objects.count() == 60
    assert ItemCounter.objects.count() == 1


def test_it_never_loses_a_change_to_a_claim(alpha, till, row, sync, deliver, both, kra):
    for turn in range(8):
        sync("A", row("B", name=f"B {turn}"))
        latest = row("A", name=f"Change {turn}")

        both(lambda row=latest: sync_items(alpha, None, [row]), lambda: deliver(till))
        deliver(till)

        assert kra.bodies("item_save")[-1]["itemNm"].startswith(("Change", "B"))
        names = [b["itemNm"] for b in kra.bodies("item_save") if not b["itemNm"].startswith("B")]
        assert names[-1] == f"Change {turn}"


def test_it_releases_stock_that_was_booked_during_the_acceptance(till, sync, deliver, both):
    sync("A")
    item, started = Item.objects.get(), threading.Event()

    def book():
        with transaction.atomic():
            line = StockLine(item.pk, Decimal(1), Decimal(1))
            book_stock(
                device=till, type="06", lines=[line], reference="R", occurred_at=timezone.now()
            )
            started.set()
            time.sleep(0.3)

    def accept():
        started.wait(5)
        deliver(till)

    both(book, accept)

    assert StockMovement.objects.get().state == "queued"


def test_it_books_one_reference_once_at_once(registered, till, both):
    (item,) = registered("A")

    def book():
        line = StockLine(item.pk, Decimal(1), Decimal(1))
        return book_stock(
            device=till, type="11", lines=[line], reference="R", occurred_at=timezone.now()
        )

    both(book, book, book)

    assert StockMovement.objects.count() == 1
    assert Transmission.objects.filter(kind="stock_movement").count() == 1
    assert connection.vendor == "postgresql"
