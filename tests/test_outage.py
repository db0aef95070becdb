"""KRA down for an hour while the shop sells on: a sale a minute, on the shop's own clock."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from devices.models import Call
from outbox import breaker
from outbox.delivery import drain
from outbox.models import Breaker, Transmission
from outbox.queries import due_lanes
from outbox.tasks import probe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def work():
    """What beat and workers do every few seconds. Nobody skips a wait or a cooldown here."""
    breaker.forget()
    probe()
    for lane_id in due_lanes().values_list("pk", flat=True):
        drain(lane_id, until=time.monotonic() + 10)


def test_an_hour_without_kra_delays_and_loses_nothing(shop, settings):
    settings.OUTBOX_BACKOFF_BASE = 2.0
    before = Call.objects.count()
    with time_machine.travel(timezone.now() - timedelta(hours=1, minutes=10)) as clock:
        shop.simulator.outage(True)
        for minute in range(60):
            answer = shop.post("/api/sales/", shop.sale(f"T-{minute}"))
            assert answer.status_code == 202
            for _ in range(4):
                work()
                clock.shift(15)
        assert Breaker.objects.get().is_open
        calls_while_down = Call.objects.count() - before
        shop.simulator.outage(False)
        minutes_to_drain = drain_by_the_clock(clock)

    assert [(h["number"], h["reference"]) for h in shop.ledger()] == [
        (number, f"T-{number - 1}") for number in range(1, 61)
    ]
    assert shop.lane.last_number == 60
    # The breaker knocked about four times a minute; sixty tills' sales did not.
    assert calls_while_down < 5 * 60
    assert minutes_to_drain <= 5


def drain_by_the_clock(clock):
    for quarter in range(40):
        work()
        if not Transmission.objects.open().filter(kind="sale").exists():
            return quarter / 4
        clock.shift(15)
    raise AssertionError(list(Transmission.objects.open().values_list("status", "error_code")))
