"""Taking a catalogue over: a verdict per row, few queries, nobody else's items."""

from decimal import Decimal

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from items.models import Item, StockMovement
from items.rows import FaultyRow, read_rows
from items.services import sync_codes
from outbox.models import Transmission

from .fake_kra import published, tree


@pytest.fixture
def lists(kra, till):
    """KRA's lists have been pulled."""
    kra.replies["code_list"] = [published()]
    kra.replies["item_class_list"] = [tree("1000000000", "1010000000")]
    sync_codes(till)


def faults(verdict):
    return {problem.field: problem.reason for problem in verdict.problems}


def test_it_gives_a_verdict_per_row(sync, row):
    sync("A", "B")

    verdicts = sync("A", row("B", name="Other"), "C", row("D", tax="Z"))

    found = [(v.row, v.sku, v.verdict, v.state) for v in verdicts]
    assert found == [
        (0, "A", "unchanged", "queued"),
        (1, "B", "updated", "queued"),
        (2, "C", "created", "queued"),
        (3, "D", "refused", ""),
    ]
    assert faults(verdicts[3]) == {"tax": "There is no tax 'Z'."}
    assert set(Item.objects.values_list("sku", flat=True)) == {"A", "B", "C"}


def test_it_changes_nothing_when_nothing_changed(sync):
    sync("A", "B")
    before = list(Item.objects.order_by("pk").values())

    verdicts = sync("A", "B")

    assert [v.verdict for v in verdicts] == ["unchanged", "unchanged"]
    assert list(Item.objects.order_by("pk").values()) == before
    assert Transmission.objects.count() == 2


def test_it_keeps_what_a_row_leaves_out(sync, row):
    sync(row("A", barcode="600123", packaging_unit="CT", is_active=False))

    verdicts = sync(row("A", price=Decimal("5.00")))

    item = Item.objects.get()
    assert verdicts[0].verdict == "updated"
    assert (item.barcode, item.packaging_unit, item.is_active) == ("600123", "CT", False)
    assert item.price == Decimal("5.00")


def test_it_takes_thousands_of_rows_in_a_constant_number_of_queries(sync, row):
    counts = []
    for start, size in ((0, 5), (1000, 400)):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            sync(*[row(f"S{number}") for number in range(start, start + size)])
        counts.append(len(queries))
    with CaptureQueriesContext(connection) as queries:
        sync(*[row(f"S{number}", name="New") for number in range(1000, 3500)])

    assert Item.objects.count() == 2505
    assert counts[1] <= counts[0]
    # The outbox stores debts by the 500.
    assert len(queries) <= counts[1] + 5


@pytest.mark.parametrize(
    ("_case", "field", "value", "stored"),
    [
        ("tax by name", "tax", "exempt", ("tax_letter", "A")),
        ("tax outside VAT", "tax", "Non_VAT", ("tax_letter", "D")),
        ("tax by letter", "tax", "e", ("tax_letter", "E")),
        ("type by name", "product_type", "service", ("product_type", "3")),
        ("type by code", "product_type", "1", ("product_type", "1")),
        ("pieces become numbers", "quantity_unit", "u", ("quantity_unit", "NO")),
        ("a unit with a digit", "quantity_unit", "4B", ("quantity_unit", "4B")),
        ("country in small letters", "origin_country", "ug", ("origin_country", "UG")),
    ],
)
def test_it_reads_words_and_codes(sync, row, _case, field, value, stored):
    sync(row("A", **{field: value}))

    assert getattr(Item.objects.get(), stored[0]) == stored[1]


@pytest.mark.parametrize(
    ("_case", "facts", "field"),
    [
        ("unit of three letters", {"quantity_unit": "KGM"}, "quantity_unit"),
        ("packaging of three letters", {"packaging_unit": "CTN"}, "packaging_unit"),
        ("country by name", {"origin_country": "Kenya"}, "origin_country"),
        ("unknown type", {"product_type": "4"}, "product_type"),
        ("two letters at once", {"tax": "AB"}, "tax"),
        ("rate of another letter", {"tax": "A", "rate": Decimal(16)}, "rate"),
        ("three decimals", {"price": Decimal("1.005")}, "price"),
        ("less than nothing", {"price": Decimal(-1)}, "price"),
        ("no number", {"price": Decimal("NaN")}, "price"),
        ("more than the column holds", {"price": Decimal("1E+30")}, "price"),
        ("zero byte", {"name": "A\x00B"}, "name"),
        ("blank name", {"name": "  "}, "name"),
        ("space before the SKU", {"sku": " A"}, "sku"),
        ("stock of a service", {"product_type": "3", "opening_stock": Decimal(1)}, "opening_stock"),
    ],
)
def test_it_names_the_faulty_field(sync, row, _case, facts, field):
    verdicts = sync(row(**facts))

    assert list(faults(verdicts[0])) == [field]
    assert verdicts[0].problems[0].next_step
    assert not Item.objects.exists()


@pytest.mark.usefixtures("lists")
def test_it_refuses_codes_that_are_not_in_kras_lists(sync, row):
    verdicts = sync(
        row(
            "A",
            classification="9999999999",
            packaging_unit="ZZ",
            quantity_unit="ZZ",
            origin_country="ZZ",
        ),
        row("B", classification="1010000000", quantity_unit="U"),
    )

    assert set(faults(verdicts[0])) == {
        "classification",
        "packaging_unit",
        "quantity_unit",
        "origin_country",
    }
    assert verdicts[1].verdict == "created"


def test_it_accepts_a_rate_that_fits_the_letter(sync, row):
    assert sync(row("A", rate=Decimal("16.00")))[0].verdict == "created"


def test_it_refuses_the_second_row_of_one_sku(sync, row):
    verdicts = sync("A", row("A", name="Other"))

    assert [v.verdict for v in verdicts] == ["created", "refused"]
    assert faults(verdicts[1]) == {"sku": "Row 0 has the same SKU."}


def test_it_refuses_to_change_what_the_code_is_made_of(registered, sync, row):
    registered("A")

    verdicts = sync(row("A", name="Other", quantity_unit="KG"))

    item = Item.objects.get()
    assert list(faults(verdicts[0])) == ["quantity_unit"]
    assert (item.quantity_unit, item.name) == ("NO", "Item A")


def test_it_names_every_fault_of_an_unreadable_row(db):
    raws = [msgspec.Raw(b'{"sku": 5, "price": "x", "colour": "red"}'), msgspec.Raw(b"[]")]

    first, second = read_rows(raws)

    assert isinstance(first, FaultyRow)
    assert isinstance(second, FaultyRow)
    fields = [problem.field for problem in first.problems]
    assert fields == ["name", "classification", "tax", "sku", "price", "colour"]
    assert second.problems[0].reason == "A row must be an object."


def test_it_leaves_other_companies_alone(alpha, beta, sync):
    sync("A")
    before = list(Item.objects.values())

    verdicts = sync("A", "B", company=beta)

    assert [v.verdict for v in verdicts] == ["created", "created"]
    assert list(Item.objects.filter(company=alpha).values()) == before


def test_it_books_opening_stock_once(registered, sync, row):
    registered(row("A", opening_stock=Decimal(10)))

    sync(row("A", opening_stock=Decimal(99)))

    movement = StockMovement.objects.get()
    assert (movement.type, movement.state) == ("06", "queued")
    assert [line.quantity for line in movement.lines.all()] == [Decimal(10)]


def test_it_refuses_stock_without_a_branch(company, sync, row):
    late = company("C000000003Z", "Late Stores")

    verdicts = sync(row("A", opening_stock=Decimal(1)), "B", company=late)

    assert [v.verdict for v in verdicts] == ["refused", "created"]
    assert list(faults(verdicts[0])) == ["opening_stock"]
