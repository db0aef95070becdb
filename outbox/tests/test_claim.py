"""What a claim takes: the head, its number, its bytes, and the right to one step."""

import hashlib
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from devices.models import Call, Device
from devices.tests.fake_kra import said, signed
from kra.errors import OutcomeUnknown, Unavailable
from outbox.delivery import Claim, claim, deliver_next, drain, look_up, send
from outbox.lanes import SPARE, Lease, lease_time
from outbox.models import Lane, Status, Transmission

from .conftest import claimed
from .toy import NOT_HELD, holds, verdicts

pytestmark = pytest.mark.django_db
LOST = OutcomeUnknown("read_timeout")


def test_a_claim_takes_the_next_number_and_freezes_the_bytes(lane, lease, debt):
    Lane.objects.filter(pk=lane.pk).update(last_number=41)
    row = debt("R-1")

    step = claimed(lease)

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.SENDING, 42, 1)
    assert bytes(row.body) == step.body == b'{"number":42,"content":"R-1"}'
    assert row.sha256 == hashlib.sha256(step.body).hexdigest()
    call = Call.objects.get()
    assert (call.transmission, call.attempt, call.number) == (row.pk, 1, 42)
    assert (call.outcome, call.request) == (Call.Outcome.OPEN, step.body.decode())


def test_accepted_messages_are_numbered_in_order(lane, debt, deliver, kra):
    rows = [debt(f"R-{n}") for n in range(3)]
    kra.script(signed(), signed(), signed())

    assert deliver()

    assert list(Transmission.objects.order_by("pk").values_list("number", "status")) == [
        (n, Status.ACCEPTED) for n in (1, 2, 3)
    ]
    lane.refresh_from_db()
    assert lane.last_number == 3
    assert (lane.lease_owner, lane.lease_until) == (None, None)
    assert verdicts() == [f"accepted {row.reference} ABCDEFGHIJKLMNOP" for row in rows]


def test_two_kinds_share_the_numbers_of_their_lane(lane, debt, deliver, kra):
    debt("R-1"), debt("R-2", kind="blind"), debt("R-3", kind="plain"), debt("R-4")
    kra.script(signed(), said("000"), said("000"), signed())

    deliver()

    numbers = Transmission.objects.order_by("pk").values_list("number", flat=True)
    assert list(numbers) == [1, 2, None, 3]


def test_a_message_with_a_number_goes_before_older_ones_without(debt, lease):
    debt("R-1")
    second = debt("R-2", number=7, body=b"x", sha256=hashlib.sha256(b"x").hexdigest())

    step = claimed(lease)

    assert step.row.pk == second.pk


@pytest.mark.parametrize(
    ("_case", "row_has", "device_has", "lane_has"),
    [
        ("not due", {"not_before": timezone.now() + timedelta(hours=1)}, {}, {}),
        ("in conflict", {"status": "conflict", "body": b"x"}, {}, {}),
        ("device suspended", {}, {"state": "suspended"}, {}),
        ("device refused", {}, {"state": "refused"}, {}),
        ("ramp", {}, {}, {"resume_at": timezone.now() + timedelta(hours=1)}),
    ],
)
def test_nothing_is_claimed_while_the_head_waits(debt, lease, _case, row_has, device_has, lane_has):
    debt("R-1", **row_has)
    debt("R-2")
    Device.objects.update(**device_has)
    Lane.objects.update(**lane_has)

    assert claim(lease) is False

    assert not Call.objects.exists()


def test_an_empty_lane_gives_nothing(lease):
    assert deliver_next(lease) is False


def test_nothing_is_claimed_while_the_host_is_silent(debt, lease, device):
    from outbox.models import Breaker

    debt("R-1")
    Breaker.objects.create(host="simulator/direct", is_open=True)

    assert claim(lease) is False


def test_bytes_that_were_changed_are_not_sent(debt, deliver, kra, pass_time):
    row = debt("R-1")
    kra.script(Unavailable("connect_failed"))
    deliver()
    pass_time()
    Transmission.objects.filter(pk=row.pk).update(body=b'{"number":1,"content":"R-2"}')

    with pytest.raises(RuntimeError, match="frozen bytes"):
        deliver()

    assert kra.asked == ["sales_save"]
    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.QUEUED, 1)


# Leases


def test_one_worker_holds_a_lane(lane, lease, debt, deliver, kra):
    debt("R-1")

    assert deliver() is False
    assert Lease.take(lane.pk) is None
    lease.release()
    assert Lease.take(lane.pk) is not None
    assert kra.sent == []


def test_a_lease_outlives_the_longest_call(lane, settings):
    settings.KRA_CONNECT_TIMEOUT, settings.KRA_READ_TIMEOUT = 5.0, 30.0
    settings.OUTBOX_LEASE_MARGIN = 10.0
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        Lease.take(lane.pk)

    lane.refresh_from_db()
    # A slow token and a slow answer: each may connect, and read, as long as the settings allow.
    assert lease_time() >= timedelta(seconds=2 * (5 + 30) + 10)
    assert lane.lease_until == now + SPARE * lease_time()


def test_a_dead_workers_lease_ends(lane):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        Lease.take(lane.pk)
        clock.move_to(now + SPARE * lease_time())
        assert Lease.take(lane.pk) is None

        clock.shift(0.001)

        assert Lease.take(lane.pk) is not None


def test_each_claim_keeps_the_lease_long_enough_for_its_call(lane, debt):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        lease = Lease.take(lane.pk)
        assert lease is not None
        debt("R-1")
        clock.shift(1.2 * lease_time())

        assert isinstance(claim(lease), Claim)

        lane.refresh_from_db()
        assert lane.lease_until >= timezone.now() + lease_time()


def test_a_fresh_lease_is_not_written_again(lane, lease, django_assert_num_queries):
    lane.refresh_from_db()

    with django_assert_num_queries(0):
        assert lease.renew(lane, timezone.now())


def test_a_worker_that_lost_its_lease_claims_nothing(lane, lease, debt, pass_time):
    debt("R-1")
    pass_time()
    Lease.take(lane.pk)

    assert claim(lease) is False

    assert not Call.objects.exists()


def test_releasing_late_does_not_free_somebody_elses_lease(lane, lease, pass_time):
    pass_time()
    second = Lease.take(lane.pk)
    assert second is not None

    lease.release()

    lane.refresh_from_db()
    assert lane.lease_owner == second.owner


def test_a_slice_ends_after_the_message_in_hand(lane, debt, kra):
    debt("R-1"), debt("R-2")
    kra.script(signed(), signed())

    drain(lane.pk, until=0.0)

    assert kra.asked == ["sales_save"]
    lane.refresh_from_db()
    assert lane.lease_until is None


def test_a_worker_stops_when_it_is_told(lane, debt, kra):
    debt("R-1"), debt("R-2")
    kra.script(signed(), signed())

    drain(lane.pk, until=float("inf"), stop=lambda: True)

    assert kra.asked == ["sales_save"]


# The fence


LATE_ANSWERS = [
    ("accepted", signed(), "000"),
    ("refused", said("910", "late"), "910"),
    ("unknown", said("999", "late"), "999"),
    ("device refused", said("901", "late"), "901"),
    ("not sent", Unavailable("connect_failed"), "connect_failed"),
]


def facts(row):
    return {
        name: getattr(row, name)
        for name in ("status", "number", "attempts", "not_before", "error_code", "finished_at")
    }


@pytest.mark.parametrize(("_case", "reply", "code"), LATE_ANSWERS)
def test_a_late_workers_verdict_changes_nothing(
    lease, debt, another_worker, kra, _case, reply, code
):
    """It claims and falls asleep; another one recovers the lane; then it wakes up."""
    row = debt("R-1")
    late = claimed(lease)
    kra.script(holds("R-1"))
    another_worker()
    row.refresh_from_db()
    before = facts(row)
    assert before["status"] == Status.ACCEPTED

    kra.script(reply)
    send(late)

    row.refresh_from_db()
    assert facts(row) == before
    assert verdicts() == ["accepted R-1 found"]
    assert Device.objects.get().state == Device.State.ACTIVE
    late.call.refresh_from_db()
    assert (late.call.code, late.call.attempt) == (code, 1)  # kept as evidence


@pytest.mark.parametrize(("_case", "reply", "code"), LATE_ANSWERS)
def test_a_late_worker_does_not_touch_the_next_attempt(
    lease, debt, another_worker, kra, _case, reply, code
):
    row = debt("R-1")
    late = claimed(lease)
    kra.script(NOT_HELD, OutcomeUnknown("read_timeout"))
    another_worker()
    row.refresh_from_db()
    before = facts(row)
    assert (before["status"], before["attempts"]) == (Status.UNKNOWN, 3)

    kra.script(reply)
    send(late)

    row.refresh_from_db()
    assert facts(row) == before
    assert Device.objects.get().state == Device.State.ACTIVE


@pytest.mark.parametrize(("_case", "reply", "code"), LATE_ANSWERS)
def test_only_the_latest_of_two_attempts_that_are_sending_decides(
    lease, debt, another_worker, kra, _case, reply, code
):
    """Both are in the state `sending`: nothing but the count of attempts tells them apart."""
    row = debt("R-1")
    late = claimed(lease)

    def meanwhile():
        kra.replies.appendleft(reply)
        send(late)
        row.refresh_from_db()
        assert (row.status, row.attempts, verdicts()) == (Status.SENDING, 3, [])
        return said("990", "the latest word")

    kra.script(NOT_HELD, meanwhile)
    another_worker()

    row.refresh_from_db()
    assert (row.status, row.error_code, verdicts()) == (Status.QUEUED, "990", [])
    assert Lane.objects.get().last_number == 0
    assert Device.objects.get().state == Device.State.ACTIVE


LATE_LOOKUPS = [
    ("found", holds("R-1")),
    ("another", holds("R-9")),
    ("not there", NOT_HELD),
    ("nothing heard", LOST),
    ("device refused", said("901", "late")),
]


@pytest.mark.parametrize(("_case", "reply"), LATE_LOOKUPS)
def test_a_late_look_up_decides_nothing(
    lane, debt, deliver, another_worker, pass_time, kra, _case, reply
):
    row = debt("R-1")
    kra.script(LOST)
    deliver()
    pass_time()
    lease = Lease.take(lane.pk)
    assert lease is not None
    late = claimed(lease)
    assert late.is_lookup
    kra.script(NOT_HELD, signed())
    another_worker()

    kra.script(reply)
    look_up(late)

    row.refresh_from_db()
    assert (row.status, row.number) == (Status.ACCEPTED, 1)
    assert verdicts() == ["accepted R-1 ABCDEFGHIJKLMNOP"]
    assert Device.objects.get().state == Device.State.ACTIVE


@pytest.mark.parametrize(("_case", "reply"), LATE_LOOKUPS)
def test_only_the_latest_of_two_look_ups_decides(
    lane, debt, deliver, another_worker, pass_time, kra, _case, reply
):
    row = debt("R-1")
    kra.script(LOST)
    deliver()
    pass_time()
    lease = Lease.take(lane.pk)
    assert lease is not None
    late = claimed(lease)

    def meanwhile():
        kra.replies.appendleft(reply)
        look_up(late)
        row.refresh_from_db()
        assert (row.status, row.attempts, verdicts()) == (Status.UNKNOWN, 3, [])
        return holds("R-9")

    kra.script(meanwhile)
    another_worker()

    row.refresh_from_db()
    assert (row.status, verdicts()) == (Status.CONFLICT, [])
    assert Device.objects.get().state == Device.State.ACTIVE


# What the database itself refuses


@pytest.mark.parametrize("status", ["sending", "unknown", "conflict"])
def test_the_database_allows_one_message_in_flight(debt, status):
    debt("R-1", status="sending", body=b"x")

    with pytest.raises(IntegrityError, match="one_in_flight"), transaction.atomic():
        debt("R-2", status=status, body=b"x")


def test_the_database_allows_a_number_once_per_kind(debt):
    debt("R-1", status="accepted", number=1, body=b"x")
    debt("R-2", status="refused", number=1)
    debt("R-3", status="cancelled", number=1)

    with pytest.raises(IntegrityError, match="number_once"), transaction.atomic():
        debt("R-4", number=1)


@pytest.mark.parametrize("status", ["sending", "unknown", "conflict", "accepted"])
def test_the_database_wants_the_bytes_of_what_was_sent(debt, status):
    with pytest.raises(IntegrityError, match="sent_is_frozen"), transaction.atomic():
        debt("R-1", status=status)


def test_rows_say_what_they_are(debt, lane):
    row = debt("R-1")

    assert str(row) == "toy R-1 queued"
    assert str(lane) == f"{lane.device_id}/fiscal"
    assert not row.is_settled
