"""A counter is set right by what KRA confirms, and by nobody's guess."""

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from companies.models import COMPANY_SCOPES, ApiToken, Company
from devices.tests.fake_kra import said, signed
from kra.errors import OutcomeUnknown
from outbox.errors import CounterNotProven, LaneBusy
from outbox.lanes import Lease, lease_time
from outbox.models import Lane, Status
from outbox.resync import resync_counter

from .toy import NOT_HELD, holds, verdicts

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(kra):
    """What KRA holds, by number. Whatever is sent is looked up here or signed."""
    held: dict[int, str | None] = {}

    def reply(sent):
        if sent.endpoint != "invoice_details":
            return signed()
        number = sent.members["invcNo"]
        return holds(held[number]) if number in held else NOT_HELD

    kra.otherwise = reply
    return held


def resync(lane, number):
    resync_counter(lane, last_number=number, reason="restored from a backup")
    lane.refresh_from_db()
    return lane.last_number


def looked_up(kra):
    return [sent.members["invcNo"] for sent in kra.sent if sent.endpoint == "invoice_details"]


def test_it_takes_a_number_that_kra_confirms(lane, kra, books):
    Lane.objects.update(last_number=6)
    lane.refresh_from_db()
    books[7] = "R-7"

    assert resync(lane, 7) == 7

    assert looked_up(kra) == [7, 8, 7]
    assert lane.lease_until is None


def test_it_sets_a_counter_to_zero_when_kra_holds_nothing(lane, kra, books):
    Lane.objects.update(last_number=5)

    assert resync(lane, 0) == 0
    assert looked_up(kra) == [1]


REFUSED = [
    ("it is not held", (NOT_HELD,), "does not know number 7"),
    ("the next is held too", (holds("R-7"), holds("R-8")), "knows number 8 as well"),
    ("silence", (OutcomeUnknown("read_timeout"),), "could not be asked about number 7"),
    ("silence about the next", (holds("R-7"), said("999")), "could not be asked about number 8"),
]


@pytest.mark.parametrize(("_case", "replies", "text"), REFUSED)
def test_it_refuses_what_kra_does_not_confirm(lane, debt, kra, _case, replies, text):
    row = debt("R-1", status="conflict", number=1, body=b"x")
    kra.script(*replies)

    with pytest.raises(CounterNotProven, match=text):
        resync(lane, 7)

    lane.refresh_from_db()
    row.refresh_from_db()
    assert (lane.last_number, lane.lease_until, row.status) == (0, None, Status.CONFLICT)


def test_conflicts_go_out_under_the_next_number(lane, debt, deliver, books):
    row = debt("R-1", status="conflict", number=1, body=b"x")
    books.update({1: "X-1", 2: "X-2"})

    resync(lane, 2)
    deliver()

    row.refresh_from_db()
    assert (row.status, row.number) == (Status.ACCEPTED, 3)


def test_what_kra_holds_already_is_adopted_and_not_sent_again(lane, debt, deliver, kra, books):
    """A backup was restored: two of the three messages had been accepted after it was made."""
    rows = [debt(f"R-{n}") for n in (1, 2, 3)]
    books.update({1: "R-1", 2: "R-2"})

    resync(lane, 2)
    deliver()

    for row in rows:
        row.refresh_from_db()
    assert [(row.status, row.number) for row in rows] == [(Status.ACCEPTED, n) for n in (1, 2, 3)]
    assert [sent.members["content"] for sent in kra.sent if sent.endpoint == "sales_save"] == [
        "R-3"
    ]
    assert verdicts() == [
        "accepted R-1 found",
        "accepted R-2 found",
        "accepted R-3 ABCDEFGHIJKLMNOP",
    ]
    assert len(bytes(rows[0].body)) > 10


def test_a_conflict_gives_its_number_to_the_message_that_owns_it(lane, debt, deliver, books):
    """R-2 was sent under number 1, which KRA had given to R-1 before the backup."""
    second = debt("R-2", status="conflict", number=1, body=b"x")
    first = debt("R-1")
    books[1] = "R-1"

    resync(lane, 1)
    deliver()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.number) == (Status.ACCEPTED, 1)
    assert (second.status, second.number) == (Status.ACCEPTED, 2)


def test_numbers_that_are_accounted_for_are_not_looked_up(lane, debt, kra, books):
    debt("R-2", status="accepted", number=2, body=b"x")
    books.update({1: "X-1", 2: "R-2"})

    resync(lane, 2)

    assert looked_up(kra) == [2, 3, 1]


def test_a_number_that_kra_does_not_hold_is_passed_by(lane, debt, kra, books):
    row = debt("R-1")
    books[2] = "X-2"

    resync(lane, 2)

    row.refresh_from_db()
    assert row.status == Status.QUEUED
    assert looked_up(kra) == [2, 3, 1, 2]


def test_a_record_that_cannot_be_read_proves_nothing(lane, debt, books):
    row = debt("R-1")
    books[1] = None

    with pytest.raises(CounterNotProven, match="number 1"):
        resync(lane, 1)

    row.refresh_from_db()
    lane.refresh_from_db()
    assert (row.status, row.number, lane.last_number) == (Status.QUEUED, None, 0)
    assert lane.lease_until is None


def test_it_does_not_look_up_a_whole_archive(lane, books):
    books[501] = "X"

    with pytest.raises(CounterNotProven, match="More than 500"):
        resync(lane, 501)


def test_a_long_look_up_keeps_the_lane(lane, kra, books):
    """KRA is slow: the look-ups take longer than a lease."""
    now = timezone.now()
    books.update({n: f"X-{n}" for n in range(1, 8)})
    taken = []
    with time_machine.travel(now, tick=False) as clock:
        answer = kra.otherwise

        def slowly(sent):
            clock.shift(0.4 * lease_time())
            taken.append(Lease.take(lane.pk))
            return answer(sent)

        kra.otherwise = slowly
        resync(lane, 7)

    assert taken == [None] * 9


@pytest.mark.parametrize(
    ("_case", "before", "number"), [("while adopting", 0, 1), ("at the very end", 5, 0)]
)
def test_it_sets_nothing_once_another_worker_has_the_lane(lane, kra, books, _case, before, number):
    now = timezone.now()
    Lane.objects.update(last_number=before)
    lane.refresh_from_db()
    books.update({n: f"X-{n}" for n in range(1, number + 1)})
    with time_machine.travel(now, tick=False) as clock:
        answer = kra.otherwise

        def far_too_slowly(sent):
            clock.shift(1.5 * lease_time())
            Lease.take(lane.pk)
            return answer(sent)

        kra.otherwise = far_too_slowly
        with pytest.raises(LaneBusy, match="took the lane"):
            resync(lane, number)

    lane.refresh_from_db()
    assert lane.last_number == before
    assert lane.lease_owner is not None


@pytest.fixture
def stock(device):
    return Lane.objects.create(device=device, stream="stock")


@pytest.mark.parametrize(
    ("_case", "row_has", "number", "is_proven"),
    [
        ("as KRA's refusal says", {"status": "conflict", "expected_number": 5}, 4, True),
        ("another number", {"status": "conflict", "expected_number": 5}, 5, False),
        ("KRA named none", {"status": "conflict"}, 4, False),
        ("nothing is in conflict", {"status": "unknown", "expected_number": 5}, 4, False),
    ],
)
def test_a_stream_that_cannot_be_asked_about_needs_kras_own_word(
    stock, debt, kra, _case, row_has, number, is_proven
):
    row = debt("R-1", kind="blind", lane=stock, body=b"x", number=1, **row_has)

    if is_proven:
        assert resync(stock, number) == number
    else:
        with pytest.raises(CounterNotProven):
            resync(stock, number)

    row.refresh_from_db()
    assert (row.number is None) == is_proven
    assert kra.sent == []


def test_nobody_turns_the_counter_under_a_worker(lane, lease, kra):
    with pytest.raises(LaneBusy):
        resync(lane, 7)

    lane.refresh_from_db()
    assert (lane.last_number, lane.lease_owner) == (0, lease.owner)
    assert kra.sent == []


# The address


def client_of(company, **fields):
    facts = {"scopes": list(COMPANY_SCOPES), "name": "test"} | fields
    client = APIClient(raise_request_exception=False)
    _, secret = ApiToken.issue(company=company, **facts)
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


URL = "/api/device/dvc1/resync-counter/"
BODY = {"last_number": 7, "reason": "restored"}


def test_a_person_sets_the_counter(lane, books):
    books.update({n: f"X-{n}" for n in range(1, 8)})

    response = client_of(lane.device.company).post(URL, BODY, format="json")

    assert response.status_code == 200
    assert response.json() == {"device": "dvc1", "stream": "fiscal", "last_number": 7}


@pytest.mark.parametrize(
    ("_case", "more", "status"),
    [
        ("no such stream", {"stream": "stock"}, 404),
        ("negative", {"last_number": -1}, 400),
        ("no reason", {"reason": ""}, 400),
    ],
)
def test_it_refuses_what_makes_no_sense(lane, kra, _case, more, status):
    response = client_of(lane.device.company).post(URL, BODY | more, format="json")

    assert response.status_code == status
    assert kra.sent == []


@pytest.mark.parametrize("case", ["another company", "another device", "another scope"])
def test_others_cannot_turn_it(lane, add_device, kra, case):
    mine = lane.device.company
    other = Company.objects.create(pin="B000000002B", environment="simulator", profile="direct")
    client = {
        "another company": lambda: client_of(other),
        "another device": lambda: client_of(mine, device=add_device("dvc2")),
        "another scope": lambda: client_of(mine, scopes=["sales:write"]),
    }[case]()

    response = client.post(URL, BODY, format="json")

    assert response.status_code in (403, 404)
    lane.refresh_from_db()
    assert lane.last_number == 0
    assert kra.sent == []
