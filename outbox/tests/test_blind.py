"""Kinds that KRA cannot be asked about: the same bytes go again, and "taken" may be the proof."""

import pytest

from devices.models import Call
from devices.tests.fake_kra import answer, said
from kra.errors import OutcomeUnknown, Unavailable
from outbox.delivery import send
from outbox.models import Lane, Status
from outbox.services import requeue_conflicts

from .conftest import claimed
from .toy import PAGE, verdicts

pytestmark = pytest.mark.django_db
LOST = OutcomeUnknown("read_timeout")
DUPLICATE = said("994", "dup")


def expects(number, found=1):
    return said("999", f"Invalid sarNo: Expected: {number} but found: {found}")


@pytest.fixture
def run(deliver, pass_time, kra):
    """Let the lane work through these answers, one after the other."""

    def act(*replies):
        kra.script(*replies)
        for _ in range(len(replies) + 1):
            deliver()
            pass_time()

    return act


LOSSES = [
    ("nothing heard", LOST),
    ("reset", OutcomeUnknown("connection_reset")),
    ("gateway page", PAGE),
    ("system error", said("999")),
]
PROOFS = [("duplicate", DUPLICATE), ("the next number is wanted", expects(2))]


@pytest.mark.parametrize(("_case", "loss"), LOSSES)
@pytest.mark.parametrize(("_proof", "proof"), PROOFS)
def test_a_refused_repeat_proves_that_the_lost_one_was_stored(
    debt, run, kra, _case, loss, _proof, proof
):
    row = debt("R-1", kind="blind")

    run(loss, proof)

    row.refresh_from_db()
    assert (row.status, row.number, Lane.objects.get().last_number) == (Status.ACCEPTED, 1, 1)
    assert kra.sent[0].body == kra.sent[1].body
    assert verdicts() == ["accepted R-1 None"]


@pytest.mark.parametrize(("_proof", "proof"), PROOFS)
def test_a_refused_first_try_proves_nothing(debt, run, kra, _proof, proof):
    row = debt("R-1", kind="blind")

    run(proof)

    row.refresh_from_db()
    assert (row.status, verdicts()) == (Status.CONFLICT, [])
    assert Lane.objects.get().last_number == 0
    assert kra.asked == ["stock_io_save"]


def test_a_try_that_never_left_proves_nothing(debt, run):
    row = debt("R-1", kind="blind")

    run(Unavailable("connect_failed"), DUPLICATE)

    row.refresh_from_db()
    assert row.status == Status.CONFLICT


def test_another_number_than_the_next_proves_nothing(debt, run):
    row = debt("R-1", kind="blind")

    run(LOST, expects(5))

    row.refresh_from_db()
    assert (row.status, row.expected_number) == (Status.CONFLICT, 5)


def test_taken_said_twice_proves_nothing(debt, run, lane):
    """KRA's first "taken" is no lost answer, even when the counter is set back to the same."""
    row = debt("R-1", kind="blind")
    run(DUPLICATE)
    requeue_conflicts(lane)

    run(DUPLICATE)

    row.refresh_from_db()
    assert (row.status, row.number, verdicts()) == (Status.CONFLICT, 1, [])


def test_a_loss_under_another_number_proves_nothing(debt, run, lane):
    row = debt("R-1", kind="blind")
    run(LOST, expects(5))
    Lane.objects.update(last_number=4)
    requeue_conflicts(lane)

    run(DUPLICATE)

    row.refresh_from_db()
    assert (row.status, row.number, verdicts()) == (Status.CONFLICT, 5, [])


def test_a_late_workers_acceptance_is_a_proof(lease, debt, another_worker, kra):
    """It was alive after all: its answer is on record when the repeat is refused."""
    row = debt("R-1", kind="blind")
    late = claimed(lease)

    def meanwhile():
        kra.replies.appendleft(said("000"))
        send(late)
        return DUPLICATE

    kra.script(meanwhile)

    another_worker()

    row.refresh_from_db()
    assert (row.status, row.number, verdicts()) == (Status.ACCEPTED, 1, ["accepted R-1 None"])


def test_an_answer_we_failed_to_read_counts_as_lost(debt, deliver, another_worker, kra):
    row = debt("R-1", kind="blind")
    kra.script(LOST)
    deliver()
    Call.objects.update(outcome=Call.Outcome.UNREADABLE, http_status=200)

    kra.script(DUPLICATE)
    another_worker()

    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_a_loss_of_somebody_elses_message_proves_nothing(debt, run):
    debt("R-1", kind="blind")
    run(LOST, said("000"))
    row = debt("R-2", kind="blind")

    run(DUPLICATE)

    row.refresh_from_db()
    assert row.status == Status.CONFLICT


def test_a_message_without_a_number_is_repeated_until_kra_has_decided(debt, run, kra):
    row = debt("R-1", kind="plain")

    run(LOST, PAGE, answer(""), said("000"))

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.ACCEPTED, None, 4)
    assert {sent.body for sent in kra.sent} == {b"{}"}


def test_a_duplicate_without_a_number_is_a_proof_after_a_loss(debt, run):
    row = debt("R-1", kind="plain")

    run(LOST, DUPLICATE)

    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_a_refusal_is_a_refusal(debt, run):
    row = debt("R-1", kind="blind")

    run(LOST, said("910", "wrong"))

    row.refresh_from_db()
    assert (row.status, verdicts()) == (Status.REFUSED, ["refused R-1 910"])
