"""What other apps may ask: lanes, retries, cancelling, and why something waits."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from devices.models import Call
from devices.tests.fake_kra import said, signed
from kra.errors import OutcomeUnknown, Rejected, Unavailable
from outbox import services
from outbox.errors import LaneBusy, NotCancellable, NotRetryable
from outbox.handlers import Handler
from outbox.models import Lane, Status, Transmission
from outbox.queries import blocked_by, due_lanes
from outbox.services import calls_of, cancel, free_conflicts, lane_id_of, retry_now

from .conftest import claimed
from .toy import holds

pytestmark = pytest.mark.django_db
LATER = timezone.now() + timedelta(days=1)


def test_a_lane_is_made_on_first_use(device):
    first, again = lane_id_of(device.pk, "stock"), lane_id_of(device.pk, "stock")

    assert first == again == Lane.objects.get().pk
    assert lane_id_of(device.pk, "fiscal") != first


def test_a_known_lane_costs_no_query(
    lane, django_assert_num_queries, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        lane_id_of(lane.device_id, "fiscal")

    with django_assert_num_queries(0):
        assert lane_id_of(lane.device_id, "fiscal") == lane.pk


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_lane_that_was_rolled_back_is_not_remembered(
    device, calls, django_capture_on_commit_callbacks
):
    @transaction.atomic
    def fail_late():
        for _ in range(calls):
            lane_id_of(device.pk, "stock")
        raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        fail_late()

    assert Lane.objects.filter(pk=lane_id_of(device.pk, "stock")).exists()


@pytest.mark.parametrize("status", ["queued", "unknown"])
def test_the_next_attempt_is_brought_forward(
    debt, lane, bell, django_capture_on_commit_callbacks, status
):
    row = debt("R-1", not_before=LATER, status=status, body=b"x", error_code="999")
    Lane.objects.update(resume_at=LATER)

    with django_capture_on_commit_callbacks(execute=True):
        retry_now(row)

    row.refresh_from_db()
    lane.refresh_from_db()
    assert row.not_before <= timezone.now()
    assert (row.status, row.error_code) == (status, "999")
    assert lane.resume_at is None
    assert bell.lanes == [lane.pk]


def test_a_conflict_is_looked_up_anew(debt, deliver, kra):
    row = debt("R-1", status="conflict", number=1, body=b"x", error_code="conflict")
    kra.script(holds("R-1"))

    retry_now(row)
    deliver()

    row.refresh_from_db()
    assert (row.status, kra.asked) == (Status.ACCEPTED, ["invoice_details"])


@pytest.mark.parametrize(
    ("status", "help"),
    [
        ("sending", "Nothing"),
        ("accepted", "Nothing"),
        ("refused", "Correct it"),
        ("cancelled", "Nothing"),
    ],
)
def test_what_is_settled_is_not_retried(debt, bell, status, help):
    row = debt("R-1", status=status, body=b"x", not_before=LATER)

    with pytest.raises(NotRetryable) as raised:
        retry_now(row)

    row.refresh_from_db()
    assert (row.status, row.not_before) == (status, LATER)
    assert raised.value.help.startswith(help)
    assert bell.rings == []


def test_what_never_left_us_is_cancelled(debt, lease):
    row, behind = debt("R-1"), debt("R-2")

    cancel(row)

    row.refresh_from_db()
    assert (row.status, row.finished_at is not None) == (Status.CANCELLED, True)
    assert claimed(lease).row.pk == behind.pk


TOUCHED = [
    ("claimed", {"status": "sending", "body": b"x", "attempts": 1}),
    ("tried before", {"attempts": 1, "body": b"x"}),
    ("unknown", {"status": "unknown", "body": b"x", "attempts": 1}),
    ("conflict", {"status": "conflict", "body": b"x", "attempts": 1}),
    ("accepted", {"status": "accepted", "body": b"x", "attempts": 1}),
    ("cancelled", {"status": "cancelled"}),
]


@pytest.mark.parametrize(("_case", "row_has"), TOUCHED)
def test_what_may_have_left_us_is_not_cancelled(debt, _case, row_has):
    row = debt("R-1", **row_has)

    with pytest.raises(NotCancellable):
        cancel(row)

    row.refresh_from_db()
    assert row.status == row_has.get("status", "queued")


def test_a_stale_copy_cancels_nothing(debt, lease):
    row = debt("R-1")
    stale = Transmission.objects.get(pk=row.pk)
    claimed(lease)

    with pytest.raises(NotCancellable):
        cancel(stale)

    row.refresh_from_db()
    assert row.status == Status.SENDING


def test_conflicts_are_freed_for_new_numbers(debt, lane, bell, django_capture_on_commit_callbacks):
    row = debt(
        "R-1", status="conflict", number=4, body=b"x", sha256="y", error_code="counter",
        expected_number=9, attempts=3, not_before=LATER,
    )  # fmt: skip
    Lane.objects.update(last_number=8)

    with django_capture_on_commit_callbacks(execute=True):
        free_conflicts(lane)

    row.refresh_from_db()
    assert (row.status, row.number, row.body, row.expected_number) == (
        Status.QUEUED,
        None,
        None,
        None,
    )
    assert row.not_before <= timezone.now()
    assert bell.lanes == [lane.pk]


def test_conflicts_are_not_freed_under_a_worker(debt, lane, lease):
    row = debt("R-1", status="conflict", number=4, body=b"x")

    with pytest.raises(LaneBusy):
        free_conflicts(lane)

    row.refresh_from_db()
    assert row.number == 4


def test_the_calls_of_a_message_come_in_order(debt, deliver, pass_time, kra):
    row = debt("R-1")
    kra.script(OutcomeUnknown("read_timeout"), said("001"), signed())
    deliver()
    pass_time()
    deliver()

    assert [call.endpoint for call in calls_of(row)] == [
        "sales_save",
        "invoice_details",
        "sales_save",
    ]
    assert Call.objects.count() == 3


# Why something waits


def test_the_head_of_a_lane_is_blocked_by_nobody(debt, deliver, kra):
    row = debt("R-1")
    kra.script(OutcomeUnknown("read_timeout"))
    deliver()
    row.refresh_from_db()

    assert blocked_by(row) is None


@pytest.mark.parametrize(
    ("_case", "head_has", "blocks"),
    [
        ("fresh", {}, False),
        ("being sent", {"status": "sending", "body": b"x"}, False),
        ("unknown", {"status": "unknown", "body": b"x"}, True),
        ("conflict", {"status": "conflict", "body": b"x"}, True),
        ("retried", {"error_code": "connect_failed"}, True),
    ],
)
def test_a_stuck_head_is_named(debt, _case, head_has, blocks):
    head, row = debt("R-1", **head_has), debt("R-2")

    found = blocked_by(row)

    assert found == (head if blocks else None)


def test_a_settled_message_is_blocked_by_nobody(debt):
    debt("R-1", status="unknown", body=b"x")
    row = debt("R-2", status="refused")

    assert blocked_by(row) is None


@pytest.mark.parametrize("status", ["refused", "cancelled", "accepted"])
def test_a_settled_head_blocks_nobody(debt, status):
    debt("R-1", status=status, body=b"x")
    row = debt("R-2")

    assert blocked_by(row) is None


def test_a_message_whose_lane_is_empty_meanwhile_is_blocked_by_nobody(debt):
    row = debt("R-1")
    Transmission.objects.update(status="cancelled")

    assert blocked_by(row) is None


def test_a_due_lane_knows_its_head(debt, pass_time, deliver, kra):
    debt("R-1"), debt("R-2")
    kra.script(Unavailable("connect_failed"))
    deliver()
    assert not due_lanes().exists()

    pass_time()

    (lane,) = due_lanes()
    assert lane.head == Transmission.objects.get(reference="R-1").pk
    assert lane.head_status == "queued"


@pytest.mark.parametrize("name", ["build", "lookup_body", "found"])
def test_a_kind_must_say_what_nobody_else_can(debt, name):
    with pytest.raises(NotImplementedError):
        getattr(Handler(), name)(*([debt("R-1")] + [None] * (name != "lookup_body")))


def test_a_kind_without_effects_has_none(debt):
    row, handler = debt("R-1"), Handler()

    handler.accepted(row, None)
    handler.refused(row, Rejected("910"))
    handler.spend_number(row)

    assert Lane.objects.get().last_number == 0


def test_lanes_are_forgotten(lane, django_capture_on_commit_callbacks, django_assert_num_queries):
    with django_capture_on_commit_callbacks(execute=True):
        lane_id_of(lane.device_id, "fiscal")

    services.forget()

    with django_assert_num_queries(1):
        lane_id_of(lane.device_id, "fiscal")
