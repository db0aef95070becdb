"""A claim reads the lane and its head in one statement, and may have waited for the lane since."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from devices.models import Call
from outbox.delivery import claim
from outbox.models import Lane, Status, Transmission
from outbox.services import cancel

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def until_somebody_waits() -> None:
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            if cursor.fetchone() == (1,):
                return
        time.sleep(0.01)
    raise AssertionError("The claim did not wait for the lane.")


def claim_and_leave(lease):
    try:
        return claim(lease)
    finally:
        connection.close()


@pytest.fixture
def late_claim(lane, lease):
    """A claim that has read the head, and waits for the lane that this test holds."""

    def run(meanwhile):
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                Lane.objects.select_for_update(no_key=True).get(pk=lane.pk)
                claiming = pool.submit(claim_and_leave, lease)
                until_somebody_waits()
                meanwhile()
            return claiming.result(timeout=10)

    return run


def test_a_message_that_was_cancelled_meanwhile_is_not_claimed(lease, debt, late_claim):
    row = debt()

    step = late_claim(lambda: cancel(row))

    row.refresh_from_db()
    assert step is True  # look again
    assert (row.status, row.number, row.attempts) == (Status.CANCELLED, None, 0)
    assert not Call.objects.exists()
    assert claim(lease) is False


def test_the_next_one_is_found_at_the_second_look(lease, debt, late_claim):
    row, following = debt("R-1"), debt("R-2")

    late_claim(lambda: cancel(row))
    step = claim(lease)

    assert not isinstance(step, bool)
    assert (step.row.pk, step.row.number) == (following.pk, 1)


def test_a_conflict_that_may_go_on_meanwhile_waits_for_the_second_look(lane, debt, late_claim):
    row = debt(status=Status.CONFLICT, number=1, body=b"{}", sha256="x", attempts=1)
    again = {"status": Status.QUEUED, "number": None, "body": None, "sha256": ""}

    step = late_claim(lambda: Transmission.objects.filter(pk=row.pk).update(**again))

    assert step is False
    assert Transmission.objects.get(pk=row.pk).status == Status.QUEUED
