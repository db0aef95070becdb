"""A worker died between its claim and its record: what the call's row says decides."""

from contextlib import suppress

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError

from devices import calls
from devices.calls import finish_call, post
from devices.models import Call, Device
from devices.tests.fake_kra import answer, said, signed
from kra import answers
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Unavailable
from outbox.models import Lane, Status

from .conftest import claimed
from .toy import NOT_HELD, PAGE, holds, verdicts

pytestmark = pytest.mark.django_db


@pytest.fixture
def die_after_answer(lease, debt, kra):
    """Claim, hear KRA's answer, store it, and die."""

    def act(reply, kind="toy"):
        row = debt("R-1", kind=kind)
        step = claimed(lease)
        kra.script(reply)
        with suppress(KRAError, ZeroDivisionError):
            finish_call(step.call, post(step.call, step.target, step.body))
        kra.sent.clear()
        return row

    return act


STORED = [
    ("accepted", signed(), Status.ACCEPTED, ["accepted R-1 ABCDEFGHIJKLMNOP"]),
    ("refused", said("910", "wrong"), Status.REFUSED, ["refused R-1 910"]),
    ("unknown", said("999"), Status.UNKNOWN, []),
    ("busy", said("990"), Status.QUEUED, []),
    ("page", PAGE, Status.UNKNOWN, []),
    ("cut", answer('{"resultCd":"000","data":{'), Status.UNKNOWN, []),
    ("not UTF-8", answer(b'{"resultCd":"000","resultMsg":"\xff"}'), Status.UNKNOWN, []),
    ("empty", answer(""), Status.UNKNOWN, []),
]


@pytest.mark.parametrize(("_case", "reply", "status", "effects"), STORED)
def test_a_stored_answer_is_read_and_nothing_is_sent(
    die_after_answer, another_worker, kra, _case, reply, status, effects
):
    row = die_after_answer(reply)

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.attempts, verdicts()) == (status, 1, effects)
    assert kra.asked == []
    assert Lane.objects.get().last_number == (status == Status.ACCEPTED)


def test_a_stored_refusal_of_the_device_stops_it(die_after_answer, another_worker, kra):
    row = die_after_answer(said("901", "no"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, Device.objects.get().state) == (Status.QUEUED, "refused")
    assert kra.asked == []


def test_what_surely_was_not_sent_is_sent(die_after_answer, another_worker, kra):
    row = die_after_answer(Unavailable("connect_failed"))
    kra.script(signed())

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.ACCEPTED, 1, 2)
    assert kra.asked == ["sales_save"]


@pytest.mark.parametrize(
    ("_case", "reply"),
    [
        ("nothing heard", OutcomeUnknown("read_timeout")),
        ("no credentials", DeviceRefused("credentials_missing")),
    ],
)
def test_a_call_without_an_answer_is_asked_about(
    die_after_answer, another_worker, kra, _case, reply
):
    row = die_after_answer(reply)
    kra.script(holds("R-1"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, kra.asked) == (Status.ACCEPTED, ["invoice_details"])


def test_an_open_call_is_asked_about(lease, debt, another_worker, kra):
    """Dead before or after KRA heard us: nobody knows."""
    row = debt("R-1")
    claimed(lease)
    kra.script(NOT_HELD, signed())

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.ACCEPTED, 1, 3)
    assert kra.asked == ["invoice_details", "sales_save"]
    assert Call.objects.filter(outcome=Call.Outcome.OPEN).count() == 1


def test_a_claim_without_a_call_is_asked_about(lease, debt, another_worker, kra):
    row = debt("R-1")
    claimed(lease)
    Call.objects.all().delete()
    kra.script(holds("R-1"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, kra.asked) == (Status.ACCEPTED, ["invoice_details"])


def test_an_open_call_of_a_kind_without_look_up_is_repeated(lease, debt, another_worker, kra):
    row = debt("R-1", kind="blind")
    claimed(lease)
    kra.script(said("000"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.ACCEPTED, 1, 2)


def test_an_answer_we_fail_to_read_is_asked_about(
    die_after_answer, another_worker, kra, monkeypatch
):
    """Not an error of KRA's but of ours: the lane must not fail over it for ever."""
    real = answers.read

    def fail(endpoint, given):
        if endpoint == "sales_save":
            raise ZeroDivisionError
        return real(endpoint, given)

    monkeypatch.setattr(calls, "read", fail)
    monkeypatch.setattr("outbox.delivery.read", fail)
    row = die_after_answer(signed())
    assert Call.objects.get().outcome == Call.Outcome.UNREADABLE
    kra.script(holds("R-1"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, verdicts()) == (Status.ACCEPTED, ["accepted R-1 found"])


def test_a_stored_acceptance_that_is_a_riddle_is_unknown(die_after_answer, another_worker, kra):
    row = die_after_answer(said("000", "riddle"), kind="plain")

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.error_code) == (Status.UNKNOWN, "unreadable_answer")


def test_a_dead_look_up_is_repeated(debt, deliver, pass_time, another_worker, kra):
    row = debt("R-1")
    kra.script(OutcomeUnknown("read_timeout"))
    deliver()
    pass_time()
    kra.script(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        deliver()
    kra.script(holds("R-1"))

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.ACCEPTED, 3)
    assert kra.asked == ["sales_save", "invoice_details", "invoice_details"]


def test_what_follows_from_an_acceptance_is_tried_again(debt, deliver, another_worker, kra):
    """The record failed (here: on a name that exists); mended, the stored answer is enough."""
    row = debt("R-1")
    blocker = Group.objects.create(name="accepted R-1 ABCDEFGHIJKLMNOP")
    kra.script(signed())
    with pytest.raises(IntegrityError):
        deliver()
    blocker.delete()

    another_worker()

    row.refresh_from_db()
    assert (row.status, kra.asked) == (Status.ACCEPTED, ["sales_save"])
