"""What KRA's answer to a message does to the message, its number, its lane and its device."""

from datetime import timedelta

import pytest
import time_machine
from django.db import DataError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from devices.calls import forget_devices
from devices.models import Call, Device
from devices.tests.fake_kra import answer, said, signed
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable
from outbox import delivery
from outbox.backoff import backoff
from outbox.models import Lane, Status, Transmission
from outbox.verdicts import settle_error

from .conftest import claimed
from .toy import PAGE, verdicts

pytestmark = pytest.mark.django_db

CLASSES = [
    ("accepted", signed(), Status.ACCEPTED, ""),
    ("refused", said("910", "wrong"), Status.REFUSED, "910"),
    ("not sent", Unavailable("connect_failed"), Status.QUEUED, "connect_failed"),
    ("too many", answer("{}", status=429), Status.QUEUED, "http_429"),
    ("KRA is busy", said("990", "later"), Status.QUEUED, "990"),
    ("nothing heard", OutcomeUnknown("read_timeout"), Status.UNKNOWN, "read_timeout"),
    ("reset", OutcomeUnknown("connection_reset"), Status.UNKNOWN, "connection_reset"),
    ("gateway page", PAGE, Status.UNKNOWN, "http_502"),
    ("empty body", answer(""), Status.UNKNOWN, "empty_body"),
    ("system error", said("999"), Status.UNKNOWN, "999"),
    ("duplicate", said("994", "dup"), Status.UNKNOWN, "994"),
    ("a code nobody knows", said("777"), Status.UNKNOWN, "777"),
    ("empty list for a sale", said("001"), Status.REFUSED, "001"),
    ("success without signature", said("000"), Status.UNKNOWN, "incomplete_answer"),
    ("device refused", said("901", "no"), Status.QUEUED, "901"),
    ("no credentials", DeviceRefused("credentials_missing"), Status.QUEUED, "credentials_missing"),
]


@pytest.mark.parametrize(("_case", "reply", "status", "code"), CLASSES)
def test_the_class_of_an_answer_decides(debt, deliver, kra, _case, reply, status, code):
    row = debt("R-1")
    kra.script(reply)

    deliver()

    row.refresh_from_db()
    assert (row.status, row.error_code, row.attempts) == (status, code, 1)
    assert (row.finished_at is not None) == (status in (Status.ACCEPTED, Status.REFUSED))
    lane = Lane.objects.get()
    assert lane.last_number == (1 if status == Status.ACCEPTED else 0)
    assert (lane.lease_owner, kra.asked) == (None, ["sales_save"])


@pytest.mark.parametrize(("_case", "reply", "status", "code"), CLASSES)
def test_only_a_verdict_has_effects(debt, deliver, kra, _case, reply, status, code):
    debt("R-1")
    kra.script(reply)

    deliver()

    expected = {
        Status.ACCEPTED: ["accepted R-1 ABCDEFGHIJKLMNOP"],
        Status.REFUSED: [f"refused R-1 {code}"],
    }
    assert verdicts() == expected.get(status, [])
    refused = code in ("901", "credentials_missing")
    assert Device.objects.get().state == ("refused" if refused else "active")


@pytest.mark.parametrize(
    ("_case", "reply"), [("not sent", Unavailable("dns_failed")), ("busy", said("990"))]
)
def test_what_was_not_accepted_goes_again_unchanged(debt, deliver, pass_time, kra, _case, reply):
    row = debt("R-1")
    debt("R-2")
    kra.script(reply, signed(), signed())
    deliver()
    row.refresh_from_db()
    first = (row.number, bytes(row.body), row.sha256)
    assert row.not_before > timezone.now()

    pass_time()
    deliver()

    row.refresh_from_db()
    assert (row.number, bytes(row.body), row.sha256) == first
    assert [sent.members["content"] for sent in kra.sent] == ["R-1", "R-1", "R-2"]
    assert kra.sent[0].body == kra.sent[1].body
    assert (row.status, row.error_code, row.attempts) == (Status.ACCEPTED, "", 2)


def test_a_refusal_gives_its_number_to_the_next(debt, deliver, kra):
    debt("R-1"), debt("R-2"), debt("R-3")
    kra.script(said("910"), signed(), said("910"))

    deliver()

    assert list(Transmission.objects.order_by("pk").values_list("number", "status")) == [
        (1, Status.REFUSED),
        (1, Status.ACCEPTED),
        (2, Status.REFUSED),
    ]
    assert Lane.objects.get().last_number == 1


def test_what_cannot_be_said_steps_aside_without_a_number(debt, deliver, kra):
    row, behind = debt("unsayable"), debt("R-2")
    kra.script(signed())

    deliver()

    row.refresh_from_db()
    behind.refresh_from_db()
    assert (row.status, row.error_code, row.number) == (Status.REFUSED, "cannot_build", None)
    assert (behind.status, behind.number) == (Status.ACCEPTED, 1)
    assert verdicts() == ["refused unsayable cannot_build", "accepted R-2 ABCDEFGHIJKLMNOP"]
    assert kra.asked == ["sales_save"]


def test_an_unknown_head_holds_the_lane_and_its_number(debt, deliver, kra):
    debt("R-1"), debt("R-2")
    kra.script(OutcomeUnknown("read_timeout"))

    deliver()
    deliver()

    assert kra.asked == ["sales_save"]
    assert list(Transmission.objects.order_by("pk").values_list("number", "status")) == [
        (1, Status.UNKNOWN),
        (None, Status.QUEUED),
    ]


def test_a_refused_device_stops_and_its_message_waits(debt, deliver, kra):
    row = debt("R-1")
    kra.script(said("901", "not registered"), signed())

    deliver()
    deliver()

    device = Device.objects.get()
    assert (device.state, device.state_reason) == ("refused", "901: not registered")
    assert kra.asked == ["sales_save"]
    Device.objects.update(state="active")
    forget_devices()
    deliver()
    row.refresh_from_db()
    assert (row.status, row.number) == (Status.ACCEPTED, 1)


def test_a_suspended_device_is_not_called_refused(debt, lease, kra):
    debt("R-1")
    step = claimed(lease)
    Device.objects.update(state="suspended", state_reason="stolen")
    kra.script(said("901"))

    delivery.send(step)

    device = Device.objects.get()
    assert (device.state, device.state_reason) == ("suspended", "stolen")


def test_kras_own_wait_is_respected(debt, deliver, kra):
    row = debt("R-1")
    kra.script(answer("{}", status=429, retry_after=600.0))

    with time_machine.travel(timezone.now(), tick=False):
        deliver()
        row.refresh_from_db()

        assert row.not_before >= timezone.now() + timedelta(seconds=600)


ODD = [
    ("NUL in the code", answer(b'{"resultCd":"9\\u000010","resultMsg":"x"}')),
    ("NUL in the message", said("910", "a\x00b")),
    ("long texts", said("9" * 300, "y" * 5000)),
    ("not UTF-8", answer(b"\xff\xfe\x00")),
]


@pytest.mark.parametrize(("_case", "reply"), ODD)
def test_no_answer_is_too_odd_to_be_settled(debt, deliver, kra, _case, reply):
    row = debt("R-1")
    kra.script(reply)

    deliver()

    row.refresh_from_db()
    assert row.status in (Status.UNKNOWN, Status.REFUSED)
    assert Call.objects.get().answer


def test_an_acceptance_that_cannot_be_read_is_unknown(debt, deliver, kra):
    row = debt("R-1", kind="plain")
    kra.script(said("000", "riddle"))

    deliver()

    row.refresh_from_db()
    assert (row.status, row.error_code) == (Status.UNKNOWN, "unreadable_answer")
    assert verdicts() == []


def test_acceptance_is_recorded_with_all_its_effects_or_not_at_all(debt, deliver, kra):
    row = debt("R" * 60)
    kra.script(signed(rcptSign="S" * 200))  # a Group's name holds 150 characters

    with pytest.raises(DataError):
        deliver()

    row.refresh_from_db()
    assert (row.status, Lane.objects.get().last_number, verdicts()) == (Status.SENDING, 0, [])
    assert Call.objects.get().outcome == Call.Outcome.ACCEPTED


def test_the_bytes_that_were_sent_are_the_bytes_on_record(debt, deliver, kra):
    row = debt("R-1")
    kra.script(signed())

    deliver()

    row.refresh_from_db()
    assert bytes(row.body) == kra.sent[0].body == Call.objects.get().request.encode()


# Waiting


@given(st.integers(1, 10**6), st.floats(0, 3600))
def test_a_wait_is_bounded(attempts, at_least):
    wait = backoff(attempts, at_least=at_least).total_seconds()

    ceiling = min(900.0, 2.0 * 2 ** min(attempts - 1, 20))
    # Microseconds: a timedelta holds no more.
    assert at_least + 0.2 - 1e-6 <= wait <= at_least + ceiling + 1e-6


@pytest.mark.parametrize(
    ("attempts", "ceiling"),
    [(1, 2.0), (2, 4.0), (5, 32.0), (9, 512.0), (10, 900.0), (10**9, 900.0)],
)
def test_a_wait_grows_to_its_cap_and_is_spread_over_all_of_it(attempts, ceiling):
    waits = [backoff(attempts).total_seconds() for _ in range(300)]

    assert max(waits) <= ceiling
    assert max(waits) > 0.9 * ceiling
    assert min(waits) < 0.1 * ceiling + 0.2


def test_a_wait_may_be_shorter_than_its_floor_where_the_settings_say_so(settings):
    settings.OUTBOX_BACKOFF_BASE = 0.01

    assert backoff(1).total_seconds() <= 0.01


@pytest.mark.parametrize("kind", [Rejected, OutcomeUnknown, DeviceRefused, Unavailable])
def test_every_class_has_a_next_step(debt, lease, kind):
    """No error leaves a message in the state `sending`."""
    row = debt("R-1")
    step = claimed(lease)

    settle_error(step.row, step.handler, kind("code", "message"))

    row.refresh_from_db()
    assert row.status != Status.SENDING
    assert issubclass(kind, KRAError)


def test_a_known_verdict_is_never_overwritten(debt, deliver, another_worker, kra):
    debt("R-1")
    kra.script(signed())
    deliver()

    another_worker()

    assert kra.asked == ["sales_save"]
    assert verdicts() == ["accepted R-1 ABCDEFGHIJKLMNOP"]
