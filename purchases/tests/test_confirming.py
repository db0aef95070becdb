"""One message per invoice, with the amounts KRA wants, and the goods once KRA has it."""

from decimal import Decimal

import pytest

from items.models import StockMovement
from items.tax import Convention
from items.tests.fake_kra import LOST, SILENCE, gateway_refused, said
from outbox.errors import NotCancellable
from outbox.models import Lane, Transmission
from purchases.amounts import recompute
from purchases.errors import AlreadyConfirmed, NotConfirmable, PurchaseInvalid
from purchases.models import Purchase, PurchaseLine
from purchases.outputs import purchase_output
from purchases.services import Choice, Wanted, confirm, match, reject, reopen

from .conftest import SUPPLIER, offer, offered_line, offers

pytestmark = pytest.mark.django_db
SAVE, LIST = "purchase_save", "purchase_sales_list"
TAKEN = "Invc No: 1 is invalid, use the expected value: 2"


@pytest.fixture
def matched(fetch, goods):
    """Case 20: an exempt and a standard line, both matched."""
    goods("FLOUR", 1, tax_letter="A")
    goods("OIL", 2)
    exempt = offered_line(
        1, prc=1352.96, splyAmt=1352.96, taxTyCd="A", taxblAmt=1352.96, taxAmt=0, totAmt=1352.96
    )
    (purchase,) = fetch(offer(6, exempt, offered_line(2)))
    match(purchase.pk, [Choice(1, "FLOUR"), Choice(2, "OIL")], remember=True)
    purchase.refresh_from_db()
    return purchase


def state(purchase):
    return Purchase.objects.get(pk=purchase.pk).state


def test_it_recomputes_what_the_supplier_rounded(matched, deliver, till, kra):
    confirm(matched.pk, [])

    deliver(till, "purchase")

    (body,) = kra.bodies(SAVE)
    assert (body["invcNo"], body["spplrInvcNo"], body["spplrTin"]) == (1, 6, SUPPLIER)
    assert (body["spplrNm"], body["spplrBhfId"]) == ("Bidhaa Wholesale Ltd", "00")
    fixed = [body[name] for name in ("regTyCd", "pchsTyCd", "pchsSttsCd", "rcptTyCd", "pmtTyCd")]
    assert fixed == ["M", "N", "02", "P", "02"]
    assert (body["taxblAmtA"], body["taxblAmtB"]) == (Decimal("1352.96"), Decimal("997.51"))
    assert (body["taxAmtB"], body["totAmt"]) == (Decimal("159.60"), Decimal("2510.07"))
    assert body["pchsDt"] == "20261120"
    line = body["itemList"][1]
    assert (line["itemCd"], line["spplrItemCd"]) == ("KE2NTNO0000002", "KE2CTNO0000012")
    assert line["prc"] == line["splyAmt"] == line["totAmt"] == Decimal("1157.11")


def test_it_confirms_and_books_the_goods_in(matched, deliver, till, kra):
    confirm(matched.pk, [])

    deliver(till, "purchase")
    deliver(till, "stock")

    matched.refresh_from_db()
    assert (matched.state, matched.confirmed_total) == ("confirmed", Decimal("2510.07"))
    assert Lane.objects.get(device=till, stream="purchase").last_number == 1
    (moved,) = kra.bodies("stock_io_save")
    assert (moved["sarTyCd"], moved["custTin"]) == ("02", SUPPLIER)
    assert [line["qty"] for line in moved["itemList"]] == [1, 1]
    assert len(kra.bodies("stock_master_save")) == 2


def test_it_confirms_a_part(fetch, goods, deliver, till, kra):
    goods("OIL", 2)
    ten = offered_line(
        1, qty=10, prc=116, splyAmt=1160, dcRt=10, dcAmt=116, taxblAmt=900, taxAmt=144, totAmt=1044
    )
    (purchase,) = fetch(offer(77, ten, offered_line(2)))
    match(purchase.pk, [Choice(1, "OIL")], remember=True)

    confirm(purchase.pk, [Wanted(1, Decimal("2.5"))])
    deliver(till, "purchase")

    (body,) = kra.bodies(SAVE)
    (line,) = body["itemList"]
    assert (body["totItemCnt"], line["qty"], line["prc"]) == (1, Decimal("2.5"), 116)
    assert (line["splyAmt"], line["dcAmt"], line["totAmt"]) == (290, 29, 261)
    assert (line["taxblAmt"], line["taxAmt"]) == (225, 36)
    left_out = PurchaseLine.objects.get(sequence=2)
    assert (state(purchase), left_out.confirmed_quantity) == ("confirmed", None)
    moved = StockMovement.objects.get().lines.get()
    assert (moved.quantity, moved.unit_price) == (Decimal("2.50"), Decimal("104.40"))
    shown = purchase_output(Purchase.objects.whole().get())
    assert shown.is_partial
    assert "the rest cannot follow" in shown.next_step
    with pytest.raises(AlreadyConfirmed, match="confirmed"):
        confirm(purchase.pk, [Wanted(1, Decimal("7.5"))])


@pytest.mark.parametrize("wanted", [[], [Wanted(1, None), Wanted(2, Decimal(1))]])
def test_a_whole_confirmation_is_no_part(matched, deliver, till, wanted):
    confirm(matched.pk, wanted)
    deliver(till, "purchase")

    shown = purchase_output(Purchase.objects.whole().get())
    assert (shown.state, shown.is_partial) == ("confirmed", False)
    assert shown.next_step.startswith("Nothing")


def test_services_move_no_stock(fetch, goods, deliver, till):
    goods("FIT", 3, product_type="3")
    (purchase,) = fetch(offer(77))
    match(purchase.pk, [Choice(1, "FIT")], remember=True)

    confirm(purchase.pk, [])
    deliver(till, "purchase")

    assert state(purchase) == "confirmed"
    assert not StockMovement.objects.exists()


def problems_of(purchase, *wanted):
    with pytest.raises(PurchaseInvalid) as caught:
        confirm(purchase.pk, list(wanted))
    assert not Transmission.objects.filter(kind="purchase").exists()
    assert not PurchaseLine.objects.exclude(confirmed_quantity=None).exists()
    assert all(problem.next_step for problem in caught.value.problems)
    return [problem.field for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ([Wanted(1, Decimal("1.01"))], ["lines[0].quantity"]),
        ([Wanted(1, Decimal(0))], ["lines[0].quantity"]),
        ([Wanted(1, Decimal(-1))], ["lines[0].quantity"]),
        ([Wanted(1, Decimal("0.001"))], ["lines[0].quantity"]),
        ([Wanted(1, Decimal("NaN"))], ["lines[0].quantity"]),
        ([Wanted(1, None), Wanted(3, None)], ["lines[1].line"]),
        ([Wanted(1, None), Wanted(1, None)], ["lines[1].line"]),
        ([Wanted(0, None), Wanted(2, Decimal(9))], ["lines[0].line", "lines[1].quantity"]),
    ],
)
def test_what_was_not_offered_is_not_confirmed(matched, wanted, fields):
    assert problems_of(matched, *wanted) == fields
    assert state(matched) == "matched"


def test_an_unmatched_line_is_not_confirmed(fetch):
    (purchase,) = fetch(offer(77))

    assert problems_of(purchase) == ["lines[0].item"]


def test_an_item_that_kra_does_not_know_is_not_confirmed(fetch, goods):
    goods("NEW", 9, registered_at=None, code="")
    (purchase,) = fetch(offer(77))
    match(purchase.pk, [Choice(1, "NEW")], remember=True)

    assert problems_of(purchase) == ["lines[0].item"]


@pytest.mark.parametrize("damage", [{"taxTyCd": "Z"}, {"qty": 0}, {"totAmt": -5}], ids=str)
def test_a_line_that_makes_no_sense_is_not_confirmed(fetch, goods, damage):
    goods("OIL", 2)
    (purchase,) = fetch(offer(77, offered_line(1, **damage)))
    match(purchase.pk, [Choice(1, "OIL")], remember=True)

    assert len(problems_of(purchase)) == 1


def test_it_is_confirmed_once(matched):
    confirm(matched.pk, [])

    with pytest.raises(AlreadyConfirmed):
        confirm(matched.pk, [])

    assert Transmission.objects.filter(kind="purchase").count() == 1


def test_two_branches_confirm_one_invoice_once(matched, fetch, alpha, device):
    other = device(alpha, "alpha-2", branch="01")
    (same,) = fetch(offer(6), device=other)
    match(same.pk, [Choice(1, "OIL")], remember=True)
    confirm(matched.pk, [])

    with pytest.raises(AlreadyConfirmed, match="Branch 00"):
        confirm(same.pk, [])


def test_a_suppliers_credit_note_is_not_confirmed(fetch):
    (purchase,) = fetch(offer(77, rcptTyCd="R"))

    with pytest.raises(NotConfirmable, match="credit note"):
        confirm(purchase.pk, [])


def test_a_refusal_is_corrected_and_confirmed_again(matched, deliver, till, kra):
    kra.replies[SAVE].append(
        gateway_refused("Item KE2 (itemSeq 1) does not exist in your inventory")
    )
    confirm(matched.pk, [])
    deliver(till, "purchase")
    assert state(matched) == "refused"
    assert not StockMovement.objects.exists()

    match(matched.pk, [Choice(1, "")], remember=True)
    confirm(matched.pk, [Wanted(2, None)])
    deliver(till, "purchase")

    assert state(matched) == "confirmed"
    assert [body["invcNo"] for body in kra.bodies(SAVE)] == [1, 1], "a refusal spends no number"


@pytest.mark.parametrize("proof", [gateway_refused(TAKEN), said("994", "overlapped")], ids=str)
def test_a_lost_answer_doubles_nothing(matched, deliver, till, kra, proof):
    kra.replies[SAVE] += [LOST, proof]
    confirm(matched.pk, [])

    deliver(till, "purchase")
    deliver(till, "purchase")

    assert state(matched) == "confirmed"
    first, second = kra.bodies(SAVE)
    assert first == second
    assert Lane.objects.get(device=till, stream="purchase").last_number == 1
    assert StockMovement.objects.count() == 1


GONE = gateway_refused("Supplier invoice number 6 does not exist")


def deliver_twice(deliver, till):
    """The repeat waits for its turn."""
    deliver(till, "purchase")
    deliver(till, "purchase")


def test_a_refused_repeat_of_what_kra_no_longer_offers_was_stored(matched, deliver, till, kra):
    kra.replies[SAVE] += [LOST, GONE]
    kra.replies[LIST].append(offers(offer(78)))
    confirm(matched.pk, [])

    deliver_twice(deliver, till)

    assert state(matched) == "confirmed"
    assert len(kra.bodies(SAVE)) == 2
    assert Lane.objects.get(device=till, stream="purchase").last_number == 1
    assert StockMovement.objects.count() == 1


def test_a_refused_repeat_of_what_kra_still_offers_was_never_stored(matched, deliver, till, kra):
    kra.replies[SAVE] += [LOST, GONE]
    kra.replies[LIST].append(offers(offer(6), offer(78)))
    confirm(matched.pk, [])

    deliver_twice(deliver, till)

    assert state(matched) == "refused"
    assert "does not exist" in Transmission.objects.get().error_message
    assert Lane.objects.get(device=till, stream="purchase").last_number == 0
    assert not StockMovement.objects.exists()


@pytest.mark.parametrize(
    "answer", [SILENCE, said("999", "Unknown"), offers({"spplrTin": 1})], ids=str
)
def test_a_list_that_says_nothing_settles_nothing(matched, deliver, till, kra, answer):
    kra.replies[SAVE] += [LOST, GONE]
    kra.replies[LIST] += [answer] * 50
    confirm(matched.pk, [])

    deliver_twice(deliver, till)
    deliver(till, "purchase")

    assert state(matched) == "confirming"
    assert Transmission.objects.get().status == "unknown"
    assert len(kra.bodies(SAVE)) == 2


def test_a_first_refusal_needs_no_second_look(matched, deliver, till, kra):
    kra.replies[SAVE].append(GONE)
    kra.sent.clear()
    confirm(matched.pk, [])

    deliver(till, "purchase")

    assert state(matched) == "refused"
    assert [name for name, _ in kra.sent] == [SAVE]


def test_an_unsent_confirmation_is_taken_back(matched):
    confirm(matched.pk, [])

    reject(matched.pk, reason="Not ours.")

    assert state(matched) == "rejected"
    assert Transmission.objects.get(kind="purchase").status == "cancelled"
    reopen(matched.pk)
    confirm(matched.pk, [])
    assert state(matched) == "confirming"


def test_a_sent_confirmation_is_not_taken_back(matched, deliver, till, kra):
    kra.replies[SAVE].append(SILENCE)
    confirm(matched.pk, [])
    deliver(till, "purchase")

    with pytest.raises(NotCancellable):
        reject(matched.pk, reason="Not ours.")

    assert state(matched) == "confirming"
    assert PurchaseLine.objects.exclude(confirmed_quantity=None).count() == 2


# --- Amounts ---


def line_of(quantity, price, total, discount=0):
    return PurchaseLine(
        quantity=Decimal(quantity), unit_price=Decimal(str(price)), total=Decimal(str(total)),
        discount=Decimal(discount), discount_percent=Decimal(0), letter="B",
    )  # fmt: skip


def test_it_meets_the_validators_expectation():
    """Case 20: the supplier had 1122 + 180.07, and the gateway wanted these."""
    line = line_of(1, "1302.07", "1302.07")

    _, found = recompute(line, Decimal(1), Decimal(16), Convention.INCLUSIVE_SPLIT)

    assert (found.unit_price, found.supply) == (Decimal("1302.07"), Decimal("1302.07"))
    assert (found.taxable, found.tax) == (Decimal("1122.47"), Decimal("179.60"))


@pytest.mark.parametrize("convention", [Convention.INCLUSIVE_SPLIT, Convention.NET_BASE])
@pytest.mark.parametrize("price", [1000, 1160, "386.67"], ids=["net", "gross", "neither"])
@pytest.mark.parametrize("quantity", ["3", "1", "0.7", "2.99"])
def test_a_total_is_kept_whatever_the_supplier_calls_its_price(convention, price, quantity):
    line = line_of(3, price, "3480.00")

    part, found = recompute(line, Decimal(quantity), Decimal(16), convention)

    expected = (Decimal(3480) * Decimal(quantity) / 3).quantize(Decimal("0.01"))
    assert found.total == expected == found.taxable + found.tax
    assert found.supply == (found.unit_price * part.quantity).quantize(
        Decimal("0.01"), "ROUND_HALF_UP"
    )
    after = found.taxable if convention == Convention.NET_BASE else found.total
    assert found.supply - found.discount == after
