"""A sale given back in parts: whatever the parts, the cents come out at zero."""

from decimal import Decimal

import pytest
from django.db.models import Sum

from outbox.models import Status
from sales import corrections
from sales.errors import NotCreditable, SaleInvalid
from sales.models import InvoiceLine

from .conftest import read
from .shop import settle, sign

ZERO = Decimal(0)
# Price, quantity, discount, and the parts in which it comes back.
PARTS = [
    ("two of three", "10.00", "3", "0", ["2", "1"]),
    ("thirds of a cent too much", "10.00", "3", "0.01", ["1", "1", "1"]),
    ("weighed: every third rounds down", "10.01", "1.2", "0", ["0.4", "0.4", "0.4"]),
    ("weighed: every part rounds to nothing", "0.40", "0.03", "0", ["0.01", "0.01", "0.01"]),
    ("weighed: every part rounds up", "0.50", "0.03", "0", ["0.01", "0.01", "0.01"]),
    ("half cents that add up", "0.51", "1", "0", ["0.5", "0.5"]),
    ("a discount that no part can carry", "1.00", "7", "0.50", ["1"] * 7),
    ("given away", "10.00", "2", "20.00", ["1", "1"]),
    ("the last piece is worth less than a cent", "0.01", "3", "0.02", ["1", "1", "1"]),
    ("a hundred screws", "0.51", "100", "0.50", ["1"] * 100),
]


@pytest.mark.parametrize("convention", ["inclusive-split", "net-base"])
@pytest.mark.parametrize(("_case", "price", "quantity", "discount", "parts"), PARTS)
def test_the_parts_add_up_to_the_sale(
    signed, credit, settings, convention, _case, price, quantity, discount, parts
):
    settings.KRA_TAX_CONVENTIONS = settings.KRA_TAX_CONVENTIONS | {"direct": convention}
    line = {
        "item": "KETTLE",
        "quantity": quantity,
        "unit_price": price,
        "discount_amount": discount,
    }
    sale = signed(lines=[line], prices_include_tax=True)

    for number, part in enumerate(parts):
        note = credit(f"C-{number}", lines=[{"line": 1, "quantity": part}])
        (given,) = note.lines.all()
        base = given.taxable if convention == "net-base" else given.total
        assert min(given.total, given.taxable, given.tax, given.discount) >= 0
        assert given.supply - given.discount == base
        assert given.taxable + given.tax == given.total

    sums = InvoiceLine.objects.filter(original_line__invoice=sale).aggregate(
        total=Sum("total"), quantity=Sum("quantity")
    )
    assert sums == {"total": sale.total, "quantity": Decimal(quantity)}
    with pytest.raises(NotCreditable, match="credited already"):
        credit("C-more")


def test_the_whole_is_the_sale_line_by_line(signed, credit):
    lines = [
        {"item": "KETTLE", "quantity": "2", "discount_percent": "10"},
        {"item": "SEED", "quantity": "1.5"},
        {"item": "FIT", "quantity": "1"},
    ]
    sale = signed(lines=lines, discount_amount="50", customer={"pin": "A123456789Z"})

    note = credit()

    names = ("name", "quantity", "unit_price", "supply", "discount_percent", "discount", "letter",
             "rate", "taxable", "tax", "total")  # fmt: skip
    for ours, theirs in zip(note.lines.all(), sale.lines.all(), strict=True):
        assert ours.original_line_id == theirs.pk
        assert [getattr(ours, n) for n in names] == [getattr(theirs, n) for n in names]
    assert (note.total, note.tax, note.customer_pin) == (sale.total, sale.tax, "A123456789Z")


def test_a_refused_or_voided_note_gives_its_share_free_again(signed, credit):
    signed(lines=[{"item": "KETTLE", "quantity": "2"}])
    settle(credit("C-1"), Status.REFUSED)
    corrections.void(credit("C-2", lines=[{"line": 1, "quantity": "1.5"}]), reason="typed twice")

    assert credit("C-3").total == Decimal("4640.00")


@pytest.mark.parametrize("status", ["queued", "sending", "unknown", "conflict", "accepted"])
def test_a_note_that_kra_may_hold_keeps_its_share(signed, credit, status):
    signed(lines=[{"item": "KETTLE", "quantity": "2"}])
    note = credit("C-1", lines=[{"line": 1, "quantity": "1.5"}])
    if status == "accepted":
        sign(note)
    elif status != "queued":
        settle(note, status)

    with pytest.raises(SaleInvalid) as refusal:
        credit("C-2", lines=[{"line": 1, "quantity": "0.51"}])

    assert refusal.value.problems[0].reason == "At most 0.50 can still be credited."
    assert read(credit("C-3")).lines.get().quantity == Decimal("0.50")
