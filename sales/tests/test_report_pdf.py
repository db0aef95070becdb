"""Reports on paper: no page is wasted, no code is broken, and the last row adds up."""

import io
from decimal import Decimal

import pypdf
import pytest

from sales.reports.pdf_format import pdf_bytes
from sales.reports.sheets import METHODS, PLU, total_row
from sales.reports.tables import Sheet, Table, moneys, texts

LONG = "Certified seed, hybrid maize H614D, early maturing, for highlands and mid altitudes, 2 kg"
HUGE = "9999999999999999.99"


def item(number, *, name=LONG, amount="580.00"):
    return (
        f"SKU-{number:05}", f"KE2NTXU{number:07}", f"{name} {number}", amount, "B", "16",
        "5", amount, "0", "0.00", "0", "0.00", "",
    )  # fmt: skip


def sheet_of(rows, *, columns=PLU, warning="SIMULATOR: NOT FOR TAX"):
    tables = [Table("Items", columns, rows, has_total=True)]
    return Sheet("PLU report", "plu-A123456789Z", [("PIN", "A123456789Z")], tables, warning)


def pages_of(sheet):
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf_bytes(sheet))).pages]


def test_rows_begin_on_the_first_page_and_each_page_says_what_it_is():
    pages = pages_of(sheet_of([item(number) for number in range(200)]))

    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "SIMULATOR: NOT FOR TAX" in page
        assert "KRA code" in page
        assert "SKU-" in page
    assert len(pages) > 3
    assert "SKU-00000" in pages[0]


@pytest.mark.parametrize("amount", ["580.00", HUGE])
def test_codes_and_amounts_stay_in_one_piece(amount):
    text = "\n".join(pages_of(sheet_of([item(number, amount=amount) for number in range(30)])))

    for number in range(30):
        assert f"KE2NTXU{number:07}" in text
    assert text.count(f"{Decimal(amount):,.2f}") == 60
    for word in ("Credited", "Unsigned", "Quantity", "16%"):
        assert word in text.split()


@pytest.mark.parametrize("count", [1, 9, 10, 30])
def test_no_first_page_is_left_empty(count):
    long = " ".join([LONG] * 2)

    assert "SKU-00000" in pages_of(sheet_of([item(n, name=long) for n in range(count)]))[0]


def test_a_small_table_is_not_torn_apart_by_a_page():
    count = 40
    tables = [
        Table(f"Table {n}", [*texts("Method"), *moneys("Amount")], [(f"row {n}", "1.00")] * 6)
        for n in range(count)
    ]

    pages = pages_of(Sheet("X REPORT", "x", [("PIN", "A123456789Z")], tables))

    for n in range(count):
        (page,) = [page for page in pages if f"Table {n}\n" in page]
        assert page.count(f"row {n}\n") == 6


def test_a_long_code_takes_no_room_from_amounts():
    row = item(1, amount=HUGE)
    (page,) = pages_of(sheet_of([("X" * 60, *row[1:])]))

    assert page.count(f"{Decimal(HUGE):,.2f}") == 2
    assert "".join(page.split()).count("X" * 60) == 1


def test_what_no_font_has_is_a_question_mark():
    (page,) = pages_of(sheet_of([item(1, name="中文 Chai 🙂 <b>&")]))

    assert "?? Chai ? <b>& 1" in page


def test_the_last_row_adds_up():
    row = ("cash", 3, HUGE, 1, "232.00", "10.00", 0, "0.00", 2, "1.50")
    other = ("card", 2, "0.01", 0, "0.00", "5.00", 1, "7.00", 0, "0.00")

    assert total_row(METHODS, [row, other]) == [
        "Total", "5", "10000000000000000.00", "1", "232.00", "15.00", "1", "7.00", "2", "1.50",
    ]  # fmt: skip
    assert total_row(METHODS, []) == ["Total", *["0", "0.00"] * 2, "0.00", *["0", "0.00"] * 2]
