"""Ring once per lane; Redis may be dead, slow or forgetful, and nobody suffers but the clock."""

import socket
import time
import uuid
from datetime import timedelta
from unittest.mock import create_autospec

import pytest
import redis
from celery import Celery
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from devices.models import Device
from devices.tests.fake_kra import signed
from etims_integration import celery
from outbox import delivery, doorbell
from outbox.doorbell import BACKLOG, FRESH, answered, ring
from outbox.models import Breaker, Lane, Transmission
from outbox.services import enqueue, enqueue_many, owe
from outbox.tasks import Turn, drain_lane, sweep

pytestmark = pytest.mark.django_db


def test_a_lane_is_rung_for_once(bell):
    assert [ring(7), ring(7), ring(8)] == [True, False, True]

    assert bell.rings == [(7, FRESH), (8, FRESH)]


def test_it_rings_anew_once_somebody_has_answered(bell):
    ring(7)

    answered(7)

    assert ring(7)
    assert bell.lanes == [7, 7]


def test_who_delivers_for_himself_wakes_nobody(bell):
    with doorbell.held():
        assert not ring(7)
    with doorbell.held(False):
        assert ring(8)

    assert bell.lanes == [8]
    assert ring(7)


def test_a_ring_that_nobody_hears_is_repeated_before_long(bell):
    ring(7)

    left = doorbell._connection().ttl(doorbell._key(7))

    assert isinstance(left, int)
    assert 0 < left <= 30


def unreachable():
    return redis.Redis.from_url("redis://127.0.0.1:9/0", socket_connect_timeout=0.3)


def test_a_dead_redis_never_raises_and_costs_next_to_nothing(bell, monkeypatch):
    monkeypatch.setattr(doorbell, "_redis", unreachable())
    started = time.monotonic()

    rung = [ring(n) for n in range(1000)]
    answered(7)

    assert not any(rung)
    assert time.monotonic() - started < 1.5
    assert bell.rings == []


def test_a_redis_that_hangs_costs_a_moment_once(bell, monkeypatch, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        monkeypatch.setattr(doorbell, "_redis", None)
        started = time.monotonic()

        rung = [ring(n) for n in range(100)]

    assert not any(rung)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("no broker"),
        redis.ConnectionError("gone"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_a_broker_that_fails_never_raises(bell, error):
    bell.error = error

    assert ring(7) is False


def test_it_tries_again_when_redis_is_back(bell, monkeypatch):
    working = doorbell._redis
    monkeypatch.setattr(doorbell, "_redis", unreachable())
    assert ring(7) is False

    monkeypatch.setattr(doorbell, "_redis", working)
    assert ring(7) is False  # it is still believed to be dead
    monkeypatch.setattr(doorbell, "_broken_until", time.monotonic() - 0.001)

    assert ring(7) is True


# When it rings


def new(lane, reference):
    return owe(lane_id=lane.pk, kind="toy", reference=reference)


def test_a_debt_rings_when_it_is_committed(lane, bell, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        enqueue(new(lane, "R-1"))
        assert bell.rings == []

    assert bell.rings == [(lane.pk, FRESH)]


def test_a_rollback_leaves_no_debt_and_rings_for_none(
    lane, bell, django_capture_on_commit_callbacks
):
    @transaction.atomic
    def fail_late():
        enqueue(new(lane, "R-1"))
        enqueue_many([new(lane, "R-2"), new(lane, "R-3")])
        raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        fail_late()

    assert not Transmission.objects.exists()
    assert bell.rings == []


def test_many_debts_ring_once_per_lane(lane, add_device, bell, django_capture_on_commit_callbacks):
    second = Lane.objects.create(device=add_device("dvc2"), stream="fiscal")
    rows = [new(each, f"R-{n}") for n in range(3) for each in (lane, second)]

    with django_capture_on_commit_callbacks(execute=True):
        stored = enqueue_many(rows)

    assert all(row.pk for row in stored)
    assert sorted(bell.lanes) == sorted([lane.pk, second.pk])


@pytest.mark.parametrize("error", [OperationalError("no broker"), ZeroDivisionError("a bug")])
def test_a_failing_bell_does_not_fail_the_sale(
    lane, bell, django_capture_on_commit_callbacks, error
):
    bell.error = error

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        row = enqueue(new(lane, "R-1"))

    assert Transmission.objects.get() == row


# Who is rung for by the sweep


def test_the_sweep_rings_for_lanes_that_are_due(lane, add_device, debt, bell):
    idle, later = (
        Lane.objects.create(device=add_device(serial), stream="fiscal") for serial in ("d2", "d3")
    )
    debt("R-1")
    debt("R-2", lane=later, not_before=timezone.now() + timedelta(hours=1))

    assert sweep() == 1

    assert bell.rings == [(lane.pk, BACKLOG)]
    assert idle.pk not in bell.lanes


NOT_DUE = [
    ("leased", {"lease_until": timezone.now() + timedelta(hours=1)}, {}, {}),
    ("ramp", {"resume_at": timezone.now() + timedelta(hours=1)}, {}, {}),
    ("suspended", {}, {"state": "suspended"}, {}),
    ("refused", {}, {"state": "refused"}, {}),
    ("waiting", {}, {}, {"not_before": timezone.now() + timedelta(hours=1)}),
    ("conflict", {}, {}, {"status": "conflict", "body": b"x"}),
    ("settled", {}, {}, {"status": "accepted", "body": b"x"}),
    ("cancelled", {}, {}, {"status": "cancelled"}),
]


@pytest.mark.parametrize(("_case", "lane_has", "device_has", "row_has"), NOT_DUE)
def test_the_sweep_leaves_alone_what_cannot_go(debt, bell, _case, lane_has, device_has, row_has):
    debt("R-1")
    Transmission.objects.update(**row_has)
    Lane.objects.update(**lane_has)
    Device.objects.update(**device_has)

    assert sweep() == 0


DUE = [
    ("queued", {}, {}),
    ("sending, its worker dead", {"status": "sending", "body": b"x"}, {}),
    ("unknown", {"status": "unknown", "body": b"x"}, {}),
    ("a lease that is over", {}, {"lease_until": timezone.now() - timedelta(seconds=1)}),
    ("a ramp that is over", {}, {"resume_at": timezone.now() - timedelta(seconds=1)}),
]


@pytest.mark.parametrize(("_case", "row_has", "lane_has"), DUE)
def test_the_sweep_forgets_nobody(debt, bell, _case, row_has, lane_has):
    debt("R-1")
    Transmission.objects.update(**row_has)
    Lane.objects.update(**lane_has)

    assert sweep() == 1


def test_the_sweep_passes_by_a_silent_host(add_device, debt, bell):
    other = add_device("dvc9", pin="B000000002B", environment="sandbox")
    speaking = Lane.objects.create(device=other, stream="fiscal")
    debt("R-1"), debt("R-2", lane=speaking)
    Breaker.objects.create(host="simulator/direct", is_open=True)

    sweep()

    assert bell.lanes == [speaking.pk]


def test_the_head_decides_whether_a_lane_is_due(debt, bell):
    debt("R-1", not_before=timezone.now() + timedelta(hours=1))
    debt("R-2")

    assert sweep() == 0


# The worker's side


def test_a_worker_drains_its_lane_and_is_done(lane, debt, bell, kra):
    debt("R-1")
    kra.script(signed())
    ring(lane.pk)

    drain_lane(lane.pk)

    assert Transmission.objects.get().status == "accepted"
    assert bell.lanes == [lane.pk]
    assert ring(lane.pk), "the next message rings anew"


def test_a_worker_whose_slice_is_over_goes_on_while_nobody_waits(
    lane, debt, bell, kra, settings, monkeypatch
):
    settings.OUTBOX_SLICE_SECONDS = 0.0
    monkeypatch.setattr(doorbell, "makes_way", lambda queues, every_s: False)
    debt("R-1"), debt("R-2")
    kra.script(signed(), signed())

    drain_lane(lane.pk)

    assert kra.asked == ["sales_save", "sales_save"]
    assert bell.rings == []


def test_a_worker_whose_slice_is_over_goes_behind_those_who_wait(
    lane, debt, bell, kra, settings, monkeypatch
):
    settings.OUTBOX_SLICE_SECONDS = 0.0
    monkeypatch.setattr(doorbell, "makes_way", lambda queues, every_s: queues == doorbell.QUEUES)
    debt("R-1"), debt("R-2")
    kra.script(signed())

    drain_lane(lane.pk)

    assert kra.asked == ["sales_save"]
    assert bell.rings == [(lane.pk, BACKLOG)]


def test_a_long_backlog_makes_way_for_a_fresh_sale(lane, debt, bell, kra, monkeypatch):
    monkeypatch.setattr(Turn, "_looks_at", 0.0)
    fresh = doorbell.QUEUES[:1]
    monkeypatch.setattr(doorbell, "makes_way", lambda queues, every_s: queues == fresh)
    debt("R-1"), debt("R-2")
    kra.script(signed())

    drain_lane(lane.pk)

    assert kra.asked == ["sales_save"], "in the middle of its slice"
    assert bell.rings == [(lane.pk, BACKLOG)]


def test_it_makes_way_for_a_task_that_its_worker_has_taken(lane, debt, bell, kra, monkeypatch):
    monkeypatch.setattr(Turn, "_looks_at", 0.0)
    monkeypatch.setattr("celery.worker.state.reserved_requests", {"ours", "another"})
    monkeypatch.setattr("celery.worker.state.active_requests", {"ours"})
    debt("R-1"), debt("R-2")
    kra.script(signed())

    drain_lane(lane.pk)

    assert kra.asked == ["sales_save"]
    assert bell.rings == [(lane.pk, BACKLOG)]


def test_one_lane_of_a_process_looks_for_all_and_leaves(bell, monkeypatch):
    monkeypatch.setattr(Turn, "_looks_at", 0.0)
    monkeypatch.setattr(doorbell, "makes_way", lambda queues, every_s: True)
    turns = [Turn() for _ in range(10)]

    assert [turn.is_over() for turn in turns] == [True] + 9 * [False]


def test_a_worker_that_was_asked_to_leave_hands_its_lane_on(lane, debt, bell, kra, monkeypatch):
    # What Celery writes on SIGTERM: the exit code.
    monkeypatch.setattr("celery.worker.state.should_stop", 0)
    debt("R-1"), debt("R-2")
    kra.script(signed())

    drain_lane(lane.pk)

    assert kra.asked == ["sales_save"], "it leaves in the middle of a slice"
    assert bell.rings == [(lane.pk, BACKLOG)]


def test_a_lane_that_is_due_and_rests_all_the_same_is_left_to_the_sweep(
    lane, debt, bell, monkeypatch
):
    debt("R-1")
    drain = create_autospec(delivery.drain, return_value=True)
    monkeypatch.setattr("outbox.tasks.drain", drain)

    drain_lane(lane.pk)

    assert drain.call_count == 2, "once more for what came meanwhile; no busy loop"
    assert bell.rings == []


@pytest.mark.parametrize(("_case", "priority"), [("fresh", FRESH), ("backlog", BACKLOG)])
def test_it_looks_where_celery_puts_what_was_rung(bell, settings, _case, priority):
    # A queue of this test's own, treated as the real one is: other tests ring as well.
    own = f"test-{uuid.uuid4()}"
    real = celery.app.conf
    app = Celery(broker=settings.REDIS_URL)
    app.conf.update(task_default_queue=own, broker_transport_options=real.broker_transport_options)
    app.send_task("outbox.tasks.drain_lane", args=[1], priority=priority)

    redis_ = doorbell._connection()
    filled = [queue for queue in doorbell.QUEUES if redis_.llen(queue.replace("celery", own))]

    assert len(filled) == 1
    assert real.task_default_queue == "celery"
    redis_.delete(filled[0].replace("celery", own))


def test_one_lane_makes_way_for_each_that_waits(bell, monkeypatch):
    redis_, queue = doorbell._connection(), f"test:{uuid.uuid4()}"
    assert not doorbell.makes_way([queue], every_s=60)

    redis_.lpush(queue, "a task")

    assert doorbell.makes_way([queue], every_s=60)
    assert not any(doorbell.makes_way([queue], every_s=60) for _ in range(20))
    redis_.lpush(queue, "another")
    assert sum(doorbell.makes_way([queue], every_s=60) for _ in range(50)) == 1
    redis_.delete(queue, *(f"etims:way:{queue}:{place}" for place in range(2)))


def test_the_next_may_be_asked_when_the_time_is_over(bell):
    redis_, queue = doorbell._connection(), f"test:{uuid.uuid4()}"
    redis_.lpush(queue, "a task")
    assert doorbell.makes_way([queue], every_s=0.01)

    time.sleep(0.05)

    assert doorbell.makes_way([queue], every_s=0.01)
    redis_.delete(queue)


def test_without_redis_nobody_is_known_to_wait(bell, monkeypatch):
    monkeypatch.setattr(doorbell, "_redis", unreachable())

    assert not doorbell.makes_way(doorbell.QUEUES, every_s=1)


def test_a_second_worker_leaves_at_once(lane, lease, debt, bell, kra):
    debt("R-1")

    drain_lane(lane.pk)

    assert kra.sent == []
    assert bell.rings == []
