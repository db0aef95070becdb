"""KRA's own books, read row by row."""

from datetime import date
from decimal import Decimal

import pytest

from kra.errors import OutcomeUnknown
from kra.readers import read_listed_invoices

ROW = {
    "invcNo": 7, "rcptTyCd": "S", "salesDt": "20261105", "salesSttsCd": "02", "cnclDt": None,
    "totAmt": Decimal("116.00"), "totTaxAmt": 16, "receipt": {"rcptSign": "ABCDEFGH234567QR"},
}  # fmt: skip


def read(*rows):
    return list(read_listed_invoices({"salesList": list(rows)}))


def test_it_reads_a_row():
    (row,) = read(ROW)

    assert (row.number, row.kind, row.date) == (7, "S", date(2026, 11, 5))
    assert (row.total, row.tax, row.is_cancelled) == (Decimal(116), Decimal(16), False)
    assert row.signature == "ABCDEFGH234567QR"


def test_it_reads_numbers_written_as_texts():
    assert read(ROW | {"invcNo": "7", "totAmt": "116.00", "totTaxAmt": " 16"}) == read(ROW)


@pytest.mark.parametrize("amounts", [("116", "16"), ("-116", "-16")])
def test_a_credit_note_has_positive_amounts_whatever_its_sign(amounts):
    total, tax = amounts

    (row,) = read(ROW | {"rcptTyCd": "R", "totAmt": total, "totTaxAmt": tax})

    assert (row.kind, row.total, row.tax) == ("R", 116, 16)


@pytest.mark.parametrize(
    "change", [{"salesSttsCd": "04"}, {"salesSttsCd": "03"}, {"cnclDt": "2026-11-06 10:00:00"}]
)
def test_it_sees_what_was_cancelled(change):
    assert read(ROW | change)[0].is_cancelled


@pytest.mark.parametrize(
    "change",
    [{"invcNo": None}, {"rcptTyCd": "X"}, {"totAmt": "much"}, {"salesDt": ""}, {"totTaxAmt": None}],
)
def test_an_odd_row_hides_no_other(change):
    assert read(ROW | change, ROW) == [None, *read(ROW)]


@pytest.mark.parametrize("data", [{}, {"salesList": "none"}, {"salesList": [1]}])
def test_what_is_no_list_is_no_empty_list(data):
    with pytest.raises(OutcomeUnknown):
        list(read_listed_invoices(data))


def test_no_data_is_an_empty_list():
    assert list(read_listed_invoices(None)) == []
