"""Items on their way to KRA: codes, the running number, changes."""

from decimal import Decimal

import pytest

from core.errors import Upstream
from items.errors import ItemNotRetryable
from items.models import Item, ItemCounter
from items.services import enqueue_drafts, recount, retry_item
from outbox.errors import LaneBusy
from outbox.models import Transmission
from outbox.services import cancel

from .fake_kra import LOST, SILENCE, accepted, gateway_refused

REFUSED = gateway_refused("Ensure you use a valid item classification code")


def test_it_builds_item_codes_by_rule(sync, deliver, till, kra, row):
    sync(
        row("A"),
        row("B", product_type="3", packaging_unit="CT", quantity_unit="KG", origin_country="UG"),
        row("C", product_type="raw", quantity_unit="U"),
    )

    deliver(till)

    codes = [body["itemCd"] for body in kra.bodies("item_save")]
    assert codes == ["KE2NTNO0000001", "UG3CTKG0000002", "KE1NTNO0000003"]
    assert [i.code for i in Item.objects.order_by("pk")] == codes
    assert {i.state for i in Item.objects.all()} == {"registered"}


def test_it_sends_what_kra_documents(sync, deliver, till, kra, row):
    sync(row("A", name="Kettle", price=Decimal(2320), barcode="600123", is_active=False))

    deliver(till)

    body = kra.bodies("item_save")[0]
    assert body["tin"] == "A000000001Z"
    assert body["bhfId"] == "00"
    assert body["itemNm"] == "Kettle"
    assert (body["itemClsCd"], body["taxTyCd"], body["dftPrc"]) == ("1000000000", "B", 2320)
    assert (body["orgnNatCd"], body["pkgUnitCd"], body["qtyUnitCd"]) == ("KE", "NT", "NO")
    assert (body["bcd"], body["useYn"], body["isrcAplcbYn"]) == ("600123", "N", "N")
    assert body["modrId"] == "etims"
    assert body["modrNm"] == "eTIMS integration"


def test_it_gives_the_number_of_a_refused_item_to_the_next(sync, deliver, till, kra, counter):
    kra.replies["item_save"] = [REFUSED]
    sync("A", "B")

    deliver(till)

    first, second = Item.objects.order_by("pk")
    assert (first.code, first.state, first.registered_at) == ("", "refused", None)
    assert (second.code, second.state) == ("KE2NTNO0000001", "registered")
    assert counter() == 1


def test_it_keeps_the_number_while_the_outcome_is_unknown(sync, deliver, till, kra, counter):
    kra.replies["item_save"] = [SILENCE, LOST]
    sync("A", "B")

    for _ in range(3):
        deliver(till)

    codes = [body["itemCd"][-1] for body in kra.bodies("item_save")]
    assert codes == ["1", "1", "1", "2"]
    assert counter() == 2


def test_it_keeps_the_code_of_a_changed_item(registered, sync, deliver, till, kra, row, counter):
    registered("A")

    verdicts = sync(row("A", name="New name"))
    deliver(till)

    assert verdicts[0].verdict == "updated"
    first, second = kra.bodies("item_save")
    assert first["itemCd"] == second["itemCd"] == "KE2NTNO0000001"
    assert second["itemNm"] == "New name"
    assert counter() == 1


def test_it_keeps_a_registration_when_a_change_is_refused(
    registered, sync, deliver, till, kra, row
):
    registered("A")
    kra.replies["item_save"] = [REFUSED]

    sync(row("A", classification="9999999999"))
    deliver(till)

    item = Item.objects.get()
    assert item.state == "refused"
    assert item.code == "KE2NTNO0000001"
    assert item.registered_at is not None


def test_it_does_not_owe_an_unsent_item_twice(sync, deliver, till, kra, row):
    sync("A")

    verdicts = sync(row("A", name="Newest name"))
    deliver(till)

    assert verdicts[0].verdict == "updated"
    assert Transmission.objects.count() == 1
    assert [body["itemNm"] for body in kra.bodies("item_save")] == ["Newest name"]


def test_it_owes_a_change_anew_once_the_bytes_are_frozen(sync, deliver, till, kra, row):
    kra.replies["item_save"] = [SILENCE]
    sync("A")
    deliver(till)

    sync(row("A", name="Newest name"))
    deliver(till)

    names = [body["itemNm"] for body in kra.bodies("item_save")]
    assert names == ["Item A", "Item A", "Newest name"]
    assert {body["itemCd"] for body in kra.bodies("item_save")} == {"KE2NTNO0000001"}


def test_it_never_sends_a_non_fiscal_item(sync, deliver, till, kra, row):
    sync("A", row("B", is_fiscal=False))
    sync(row("A", is_fiscal=False))

    deliver(till)

    assert kra.bodies("item_save") == []
    assert {item.state for item in Item.objects.all()} == {"draft"}


def test_it_registers_through_the_head_office(alpha, device, sync, deliver, till, kra):
    elsewhere = device(alpha, "alpha-2", branch="01")

    sync("A", device=elsewhere)
    deliver(till)

    assert ItemCounter.objects.get().device == till
    assert kra.bodies("item_save")[0]["bhfId"] == "00"


def test_it_owes_drafts_once_a_device_is_there(company, device, row, sync, deliver, kra):
    late = company("C000000003Z", "Late Stores")
    sync("A", company=late)
    assert Item.objects.get(company=late).state == "draft"

    first = device(late, "late-1")
    counts = [enqueue_drafts(late), enqueue_drafts(late)]
    deliver(first)

    assert counts == [1, 0]
    assert Item.objects.get(company=late).state == "registered"


def test_it_sends_a_refused_item_again(sync, deliver, till, kra):
    kra.replies["item_save"] = [REFUSED]
    sync("A")
    deliver(till)

    retry_item(Item.objects.select_related("transmission", "company").get())
    deliver(till)

    item = Item.objects.get()
    assert (item.state, item.code) == ("registered", "KE2NTNO0000001")
    with pytest.raises(ItemNotRetryable):
        retry_item(item)


def test_it_settles_a_number_conflict_by_kras_list(sync, deliver, till, kra, counter):
    sequence = "Invalid itemCd Sequence. Expected sequence ending with: ********16"
    kra.replies["item_save"] = [gateway_refused(sequence)]
    kra.replies["item_list"] = [accepted({"itemList": [{"itemCd": "KE3CTKG0000015"}]})]
    sync("A")
    deliver(till)
    item = Item.objects.select_related("transmission", "company").get()
    assert Transmission.objects.get().status == "conflict"
    assert item.state == "queued"

    retry_item(item)
    deliver(till)

    assert Item.objects.get().code == "KE2NTNO0000016"
    assert counter() == 16


def test_it_adopts_an_item_whose_acceptance_was_lost(sync, deliver, till, kra, counter):
    sequence = "Invalid itemCd Sequence. Expected sequence ending with: ********2"
    kra.replies["item_save"] = [LOST, gateway_refused(sequence)]
    sync("A")

    deliver(till)
    deliver(till)

    assert Item.objects.get().state == "registered"
    assert counter() == 1


def test_it_counts_from_the_numbers_that_kra_knows(alpha, sync, kra, counter):
    sync("A")
    codes = ["KE2NTNO0000003", "KE1CTKG0000007", "ODD"]
    kra.replies["item_list"] = [accepted({"itemList": [{"itemCd": code} for code in codes]})]

    assert recount(alpha) == 7
    assert counter() == 7


def test_it_does_not_count_while_items_are_being_registered(alpha, sync, kra, monkeypatch):
    sync("A")

    def race(*_):
        ItemCounter.objects.update(last_number=9)
        return accepted({"itemList": []})

    monkeypatch.setattr(kra, "post", race)

    with pytest.raises(LaneBusy):
        recount(alpha)
    assert ItemCounter.objects.get().last_number == 9


def test_it_brings_the_next_attempt_of_a_waiting_item_forward(sync, till, deliver, kra):
    kra.replies["item_save"] = [SILENCE]
    sync("A")
    deliver(till)
    before = Transmission.objects.get().not_before

    retry_item(Item.objects.select_related("transmission").get())

    assert Transmission.objects.get().not_before < before


def test_it_leaves_a_conflict_alone_while_kra_is_silent(sync, deliver, till, kra):
    sequence = "Invalid itemCd Sequence. Expected sequence ending with: ********16"
    kra.replies["item_save"] = [gateway_refused(sequence)]
    kra.replies["item_list"] = [SILENCE]
    sync("A")
    deliver(till)

    with pytest.raises(Upstream):
        retry_item(Item.objects.select_related("transmission", "company").get())
    assert Transmission.objects.get().status == "conflict"


def test_it_owes_an_item_again_that_became_fiscal_again(sync, deliver, till, kra, row):
    sync("A")
    sync(row("A", is_fiscal=False))

    sync(row("A", is_fiscal=True))
    deliver(till)

    assert [body["itemCd"] for body in kra.bodies("item_save")] == ["KE2NTNO0000001"]
    statuses = Transmission.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["cancelled", "accepted"]


def test_it_sends_nothing_when_a_registered_item_is_no_longer_fiscal(
    registered, sync, deliver, till, kra, row
):
    registered("A")

    sync(row("A", is_fiscal=False))
    sync(row("A", is_fiscal=False))
    deliver(till)

    assert len(kra.bodies("item_save")) == 1
    assert Item.objects.get().state == "registered"


def test_it_owes_no_drafts_without_a_device(company, sync):
    late = company("C000000003Z", "Late Stores")
    sync("A", company=late)

    assert enqueue_drafts(late) == 0


def test_it_owes_a_change_again_that_was_cancelled(registered, sync, deliver, till, kra, row):
    registered("A")
    sync(row("A", name="New name"))
    cancel(Transmission.objects.get(status="queued"))

    verdicts = sync(row("A", name="New name"))
    deliver(till)

    assert verdicts[0].verdict == "unchanged"
    assert [body["itemNm"] for body in kra.bodies("item_save")] == ["Item A", "New name"]
