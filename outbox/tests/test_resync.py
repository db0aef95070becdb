"""A counter is set right by what KRA confirms, and by nobody's guess."""

import pytest
from rest_framework.test import APIClient

from companies.models import COMPANY_SCOPES, ApiToken, Company
from devices.tests.fake_kra import said, signed
from kra.errors import OutcomeUnknown
from outbox.errors import CounterNotProven, LaneBusy
from outbox.models import Lane, Status
from outbox.resync import resync_counter

from .toy import NOT_HELD, holds

pytestmark = pytest.mark.django_db
HELD = holds("R-9")


def resync(lane, number):
    resync_counter(lane, last_number=number, reason="restored from a backup")
    lane.refresh_from_db()
    return lane.last_number


def test_it_takes_a_number_that_kra_confirms(lane, kra):
    kra.script(HELD, NOT_HELD)

    assert resync(lane, 7) == 7

    assert [sent.members["invcNo"] for sent in kra.sent] == [7, 8]
    assert lane.lease_until is None


def test_it_sets_a_counter_to_zero_when_kra_holds_nothing(lane, kra):
    Lane.objects.update(last_number=5)
    kra.script(NOT_HELD)

    assert resync(lane, 0) == 0
    assert [sent.members["invcNo"] for sent in kra.sent] == [1]


REFUSED = [
    ("it is not held", (NOT_HELD,), "does not know number 7"),
    ("the next is held too", (HELD, HELD), "knows number 8 as well"),
    ("silence", (OutcomeUnknown("read_timeout"),), "could not be asked about number 7"),
    ("silence about the next", (HELD, said("999")), "could not be asked about number 8"),
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


def test_conflicts_go_out_under_the_next_number(lane, debt, deliver, kra):
    row = debt("R-1", status="conflict", number=1, body=b"x", content=b"R-1")
    kra.script(HELD, NOT_HELD, signed())

    resync(lane, 7)
    deliver()

    row.refresh_from_db()
    assert (row.status, row.number) == (Status.ACCEPTED, 8)


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


def test_a_person_sets_the_counter(lane, kra):
    kra.script(HELD, NOT_HELD)

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
