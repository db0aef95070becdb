"""KRA's own books, read row by row."""

from datetime import date
from decimal import Decimal

import pytest

from kra import envelope
from kra.answers import read as read_answer
from kra.client import Answer
from kra.errors import KRAError, OutcomeUnknown
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


# --- As it comes over the wire, where the list may be long ---

TEXT = (
    '{"invcNo": 7, "rcptTyCd": "S", "salesDt": "20261105", "salesSttsCd": "02", "cnclDt": null, '
    '"totAmt ": 116.00, "totTaxAmt": "16", "receipt": {"rcptSign": "ABCDEFGH234567QR"}}'
)


def answer(text):
    return Answer(200, text.encode(), 1, "", None, None)


def said(data, around="%s"):
    verdict = f'{{"resultCd": "000", "resultMsg": "ok", "resultDt": "20261105101500", {data}}}'
    return answer(around % verdict)


@pytest.mark.parametrize(
    "around", ["%s", "\ufeff%s", '{"responseHeader": {"responseCode": 200}, "responseBody": %s}']
)
def test_a_long_list_is_read_row_by_row(around):
    odd = ["{}", "1", "null", TEXT.replace("116.00", "1e999999999")]
    rows = ", ".join([TEXT, *odd, TEXT])

    reply = read_answer("sales_list", said(f'"data": {{"salesList": [{rows}]}}', around))
    found = list(read_listed_invoices(reply.data))

    assert isinstance((reply.data or {})["salesList"], envelope.Rows)
    assert [found[0], found[-1]] == [*read(ROW), *read(ROW)]
    assert found[1:-1] == [None] * len(odd)
    assert reply.code == "000"
    assert reply.result_at is not None


@pytest.mark.parametrize("data", ['"data": {"salesList": "none"}', '"data": {"other": []}'])
def test_a_long_list_that_is_none_is_no_empty_list(data):
    reply = read_answer("sales_list", said(data))

    with pytest.raises(OutcomeUnknown):
        list(read_listed_invoices(reply.data))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"resultCd": "000", "data": {"salesList": [']
)
def test_a_broken_long_list_is_no_answer(text):
    with pytest.raises(KRAError):
        read_answer("sales_list", answer(text))


def test_nothing_to_list_is_empty():
    text = '{"resultCd": "001", "resultMsg": "There is no search result", "data": null}'

    assert read_answer("sales_list", answer(text)).is_empty
