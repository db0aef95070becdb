"""A till waits for its signature: as long as it said, and not a moment longer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from devices.models import Device
from devices.tests.fake_kra import said, signed
from kra.errors import OutcomeUnknown, Unavailable
from outbox import breaker, waiting
from outbox.doorbell import answered
from outbox.lanes import Lease
from outbox.models import Breaker, Lane, Status, Transmission
from outbox.waiting import wait_for, wait_for_lane

pytestmark = pytest.mark.django_db(transaction=True)

POOL = waiting._pool


@pytest.fixture(autouse=True)
def threads(transactional_db, monkeypatch):
    """Of each test's own, and ended before its tables are emptied: they look once more behind."""
    with ThreadPoolExecutor(waiting.THREADS) as pool:
        monkeypatch.setattr(waiting, "_pool", pool)
        yield


@pytest.fixture
def slow_kra(threads, kra):
    """KRA thinks until it is told to answer; afterwards every delivery thread has finished."""
    told = threading.Event()

    def think():
        assert told.wait(20)
        return signed()

    kra.script(think)
    yield told
    told.set()
    until = time.monotonic() + 20
    while Transmission.objects.filter(status=Status.SENDING).exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def timed(function, *args):
    started = time.monotonic()
    result = function(*args)
    return result, time.monotonic() - started


def test_it_answers_as_soon_as_kra_has_decided(debt, kra):
    debt("R-1")
    row = debt("R-2")
    kra.script(signed(), signed())

    result, seconds = timed(wait_for, row, 20.0)

    assert (result.status, result.number) == (Status.ACCEPTED, 2)
    assert seconds < 5


def test_a_refusal_is_an_answer_too(debt, kra):
    row = debt("R-1")
    kra.script(said("910", "wrong"))

    result, seconds = timed(wait_for, row, 20.0)

    assert (result.status, result.error_code) == (Status.REFUSED, "910")
    assert seconds < 5


def test_it_answers_in_time_whatever_kra_does(debt, slow_kra):
    row = debt("R-1")

    result, seconds = timed(wait_for, row, 0.3)

    assert result.status == Status.SENDING
    assert seconds < 2
    slow_kra.set()


def test_the_delivery_goes_on_when_the_till_has_left(debt, slow_kra):
    row = debt("R-1")
    wait_for(row, 0.2)

    slow_kra.set()

    until = time.monotonic() + 20
    while Lane.objects.filter(lease_owner__isnull=False).exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_two_tills_wait_for_one_lane(debt, slow_kra, kra):
    rows = [debt("R-1"), debt("R-2")]
    kra.script(signed())
    results = []

    def till(row):
        try:
            results.append(wait_for(row, 20.0).status)
        finally:
            connections.close_all()

    tills = [threading.Thread(target=till, args=[row]) for row in rows]
    for each in tills:
        each.start()
    slow_kra.set()
    for each in tills:
        each.join(30)

    assert results == [Status.ACCEPTED, Status.ACCEPTED]
    assert kra.asked == ["sales_save"] * 2


def test_what_is_settled_needs_no_waiting(debt, kra):
    row = debt("R-1", status="refused")

    result, seconds = timed(wait_for, row, 20.0)

    assert result.status == Status.REFUSED
    assert seconds < 1
    assert kra.sent == []


def test_no_time_is_no_waiting(debt, kra):
    row = debt("R-1")

    result, _ = timed(wait_for, row, 0.0)

    assert result.status == Status.QUEUED
    assert kra.sent == []


@pytest.mark.parametrize("case", ["device", "kra_down"])
def test_it_does_not_wait_for_what_cannot_come(debt, device, kra, case):
    row = debt("R-1")
    if case == "device":
        Device.objects.update(state="suspended")
    else:
        Breaker.objects.create(host="simulator/direct", is_open=True)

    result, seconds = timed(wait_for, row, 20.0)

    assert result.status == Status.QUEUED
    assert seconds < 2
    assert kra.sent == []


def test_it_goes_when_kra_falls_silent_meanwhile(debt, kra, settings):
    settings.OUTBOX_BREAKER_THRESHOLD = 1
    kra.script(Unavailable("connect_failed"))

    result, seconds = timed(wait_for, debt("R-1"), 20.0)

    assert (result.status, result.error_code) == (Status.QUEUED, "connect_failed")
    assert seconds < 2


def test_it_goes_at_once_when_another_process_has_noticed_the_silence(debt, kra):
    assert not breaker.is_open("simulator/direct")  # looked up now, and believed for a second
    Breaker.objects.create(host="simulator/direct", is_open=True)

    result, seconds = timed(wait_for, debt("R-1"), 20.0)

    assert result.status == Status.QUEUED
    assert seconds < 5
    assert kra.sent == []


def test_it_goes_when_kra_stops_the_device_meanwhile(debt, kra):
    kra.script(said("901", "unknown device"))

    result, seconds = timed(wait_for, debt("R-1"), 20.0)

    assert (result.status, result.error_code) == (Status.QUEUED, "901")
    assert seconds < 5


@pytest.mark.parametrize("rests", ["lane", "head"])
def test_it_does_not_wait_for_what_comes_later_than_it_would(debt, lane, kra, bell, rests):
    later = timezone.now() + timedelta(seconds=60)
    row = debt("R-1", **({"not_before": later} if rests == "head" else {}))
    if rests == "lane":
        Lane.objects.update(resume_at=later)
    nobody_rang(bell, row)

    _, seconds = timed(wait_for, row, 20.0)

    assert seconds < 5
    assert (kra.sent, bell.rings) == ([], [])


def test_it_waits_for_a_lane_that_goes_on_in_time_and_does_not_keep_ringing(debt, lane, kra, bell):
    row = debt("R-1")
    Lane.objects.update(resume_at=timezone.now() + timedelta(seconds=0.5))
    nobody_rang(bell, row)
    kra.script(signed())

    result, seconds = timed(wait_for, row, 20.0)

    assert result.status == Status.ACCEPTED
    assert 0.4 < seconds < 5
    # One may come when the lane's moment does, between a turn and the look behind it.
    assert len(bell.rings) < 3


def test_it_does_not_wait_for_a_person_to_decide(debt, kra):
    held = debt("R-1", status="conflict", number=1, body=b"x")

    for row in (held, debt("R-2")):
        _, seconds = timed(wait_for, row, 20.0)
        assert seconds < 5
    assert not kra.asked


def test_it_waits_for_the_worker_that_holds_the_lane(debt, lane, kra):
    row = debt("R-1")
    lease = Lease.take(lane.pk)
    assert lease is not None
    kra.script(signed())
    threading.Timer(0.3, release, [lease]).start()

    result, seconds = timed(wait_for, row, 20.0)

    assert result.status == Status.ACCEPTED
    assert 0.25 < seconds < 5


def release(lease):
    try:
        lease.release()
    finally:
        connections.close_all()


def test_a_lane_that_waits_for_its_head_is_left_to_the_sweep(debt, kra, bell, settings):
    settings.OUTBOX_BACKOFF_BASE = 1000.0
    row = debt("R-1")
    nobody_rang(bell, row)
    kra.script(OutcomeUnknown("read_timeout"))

    result, seconds = timed(wait_for, row, 0.4)

    assert result.status == Status.UNKNOWN
    assert seconds < 2
    assert kra.asked == ["sales_save"]
    assert bell.rings == []


def nobody_rang(bell, row):
    """The rings of the debts themselves were heard, and led to nothing."""
    answered(row.lane_id)
    bell.rings.clear()


def test_a_lane_with_more_to_do_is_rung_for(debt, lane, kra, bell):
    row = debt("R-1")
    debt("R-2")
    nobody_rang(bell, row)
    kra.script(signed())

    wait_for(row, 20.0)

    until = time.monotonic() + 5
    while not bell.rings and time.monotonic() < until:
        time.sleep(0.01)
    assert bell.lanes == [lane.pk]


def test_a_bug_in_the_delivery_is_logged_not_swallowed(debt, kra, caplog):
    row = debt("R-1")
    kra.script(*[ZeroDivisionError("a bug")] * 500)

    result, seconds = timed(wait_for, row, 0.5)

    assert seconds < 3
    assert result.status in (Status.SENDING, Status.UNKNOWN)
    assert [r for r in caplog.records if r.exc_info and "a bug" in str(r.exc_info[1])]
    assert len(kra.sent) == 1, "a failing delivery may not hammer KRA"


def test_a_lane_is_drained_for_a_while(debt, lane, kra):
    debt("R-1"), debt("R-2")
    kra.script(signed(), signed())

    wait_for_lane(lane.pk, 20.0)

    assert not Transmission.objects.open().exists()


def test_it_watches_the_worker_that_drains_the_lane(debt, lane, kra):
    debt("R-1")
    lease = Lease.take(lane.pk)
    assert lease is not None
    kra.script(signed())
    threading.Timer(0.3, release, [lease]).start()

    _, seconds = timed(wait_for_lane, lane.pk, 20.0)

    assert not Transmission.objects.open().exists()
    assert 0.25 < seconds < 5


def test_a_lane_that_rests_is_not_waited_for(debt, lane, kra):
    debt("R-1")
    kra.script(OutcomeUnknown("read_timeout"))

    _, seconds = timed(wait_for_lane, lane.pk, 20.0)

    assert seconds < 2
    assert kra.asked == ["sales_save"]


def test_there_is_a_bound_to_deliveries_in_a_web_process():
    assert POOL._max_workers == waiting.THREADS == 16
