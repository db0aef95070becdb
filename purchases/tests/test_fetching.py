"""Offers come in once, whatever interrupts."""

from decimal import Decimal

import pytest

from items.tests.fake_kra import LOST, NOTHING, SILENCE, accepted, said
from kra.errors import KRAError
from purchases import services, tasks
from purchases.models import Purchase, PurchaseLine, SyncMark
from purchases.services import fetching, sync_branch
from purchases.syncing import sync_branches

from .conftest import SUPPLIER, offer, offered_line, offers

pytestmark = pytest.mark.django_db
LIST = "purchase_sales_list"


def test_it_stores_what_a_supplier_declared(fetch):
    (purchase,) = fetch(offer(77, offered_line(1), offered_line(2, taxTyCd="A", itemCd="")))

    assert (purchase.supplier_pin, purchase.number) == (SUPPLIER, 77)
    assert (purchase.state, purchase.total) == ("offered", Decimal("2314.22"))
    lines = list(purchase.lines.order_by("sequence"))
    assert [(x.sequence, x.letter, x.total) for x in lines] == [
        (1, "B", Decimal("1157.11")),
        (2, "A", Decimal("1157.11")),
    ]


def test_it_asks_from_the_last_answer_on(kra, fetch, till):
    fetch(offer(77))

    sync_branch(till)

    first, second = kra.bodies(LIST)
    assert first["lastReqDt"] == "20180101000000"
    assert second["lastReqDt"] == "20261122101400"  # KRA's clock, a minute before


def test_a_repeat_stores_nothing_twice(fetch):
    fetch(offer(77), offer(78), offer(77))

    again = fetch(offer(77), offer(78, spplrNm="Renamed"), offer(79))

    assert [one.number for one in again] == [77, 78, 79]
    assert PurchaseLine.objects.count() == 3
    assert again[1].supplier_name == "Bidhaa Wholesale Ltd"


def test_suppliers_and_their_branches_count_for_themselves(fetch):
    rows = fetch(offer(77), offer(77, spplrBhfId="01"), offer(77, spplrTin="P000000000T"))

    assert len(rows) == 3


@pytest.mark.parametrize("failure", [SILENCE, LOST, said("921", "no")], ids=str)
def test_an_interrupted_round_is_asked_again(kra, fetch, till, failure):
    fetch(offer(77))
    before = SyncMark.objects.get().last_result_at
    kra.replies[LIST].append(failure)

    with pytest.raises(KRAError):
        sync_branch(till)

    assert SyncMark.objects.get().last_result_at == before
    fetch(offer(78))
    assert kra.bodies(LIST)[-1]["lastReqDt"] == "20261122101400"


def test_a_death_while_storing_stores_nothing(kra, till, monkeypatch):
    def die(*_):
        raise RuntimeError("killed")

    kra.replies[LIST].append(offers(offer(77)))
    monkeypatch.setattr(fetching, "_advance", die)

    with pytest.raises(RuntimeError):
        sync_branch(till)

    assert not Purchase.objects.exists()
    assert not SyncMark.objects.exists()


def test_nothing_new_moves_the_mark(kra, till):
    kra.replies[LIST].append(NOTHING)

    assert sync_branch(till).new == 0
    assert SyncMark.objects.get().last_result_at is not None


BROKEN = [
    {"totAmt": None},
    {"salesDt": "soon"},
    {"spplrInvcNo": "A-1"},
    {"itemList": "none"},
    {"spplrTin": "P" * 21},
    {"spplrTin": ""},
    {"totAmt": 10**17},
]


@pytest.mark.parametrize("damage", BROKEN, ids=str)
def test_one_odd_offer_hides_no_other(kra, till, damage):
    kra.replies[LIST].append(offers(offer(76), offer(77) | damage, offer(78)))

    done = sync_branch(till)

    assert (done.new, done.unreadable) == (2, 1)
    assert SyncMark.objects.get().last_result_at is None, "it is asked for again"


def test_two_offers_without_a_number_are_not_taken_for_one(kra, till):
    kra.replies[LIST].append(offers(offer(0), offer(0, totAmt=99), offer(78)))

    done = sync_branch(till)

    assert (done.new, done.known, done.unreadable) == (1, 0, 2)
    assert Purchase.objects.get().number == 78


def test_a_line_too_large_is_left_out_whole(fetch):
    assert fetch(offer(77, offered_line(1), offered_line(2, qty=10**12))) == []
    assert not PurchaseLine.objects.exists()


def test_one_branch_stops_no_other(kra, alpha, till, device):
    other = device(alpha, "alpha-2", branch="01")
    alpha.branches.create(code="02", name="No device")
    kra.replies[LIST] += [said("921", "no"), offers(offer(77))]

    verdicts = sync_branches(alpha.branches.order_by("code"))

    assert [(one.branch, one.state, one.new) for one in verdicts] == [
        ("00", "failed", 0),
        ("01", "synced", 1),
        ("02", "skipped", 0),
    ]
    assert "921" in verdicts[0].detail
    assert Purchase.objects.get().branch_id == other.branch_id


def test_a_silent_host_is_not_asked_by_every_branch(kra, alpha, till, device):
    device(alpha, "alpha-2", branch="01")
    kra.replies[LIST] += [SILENCE, SILENCE]

    verdicts = sync_branches(alpha.branches.order_by("code"))

    assert [one.state for one in verdicts] == ["failed", "failed"]
    assert len(kra.bodies(LIST)) == 1


def test_beat_asks_for_everybody(kra, alpha, beta):
    kra.replies[LIST] += [offers(offer(77)), offers(offer(77))]

    assert tasks.sync_purchases() == 2
    assert {body["tin"] for body in kra.bodies(LIST)} == {alpha.pin, beta.pin}


def test_a_stopped_device_asks_nothing(kra, till):
    type(till).objects.update(state="suspended")

    assert services.speaker_of(till.branch_id) is None
    assert tasks.sync_purchases() == 0
    assert kra.sent == []


def test_a_list_that_is_none_is_no_answer(kra, till):
    kra.replies[LIST].append(accepted({"saleList": "?"}))

    with pytest.raises(KRAError):
        sync_branch(till)

    assert not SyncMark.objects.exists()
