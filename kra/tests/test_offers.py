from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kra.answers import read_imports, read_supplier_invoices
from kra.errors import OutcomeUnknown
from kra.readers import sift_supplier_invoices


@pytest.fixture
def data(examples):
    def data(endpoint_id):
        return examples[endpoint_id]["answers"][0]["body"]["data"]

    return data


def test_it_reads_what_customs_declared(data):
    (line,) = read_imports(data("import_list"))

    assert (line.task_code, line.declared_on, line.sequence) == ("20260001", "03102026", 1)
    assert (line.hs_code, line.status_code) == ("8516100000", "2")
    assert (line.quantity, line.quantity_unit) == (Decimal(100), "NO")
    assert (line.amount, line.currency) == (Decimal(1000), "USD")
    assert line.exchange_rate == Decimal("129.5")


def test_it_reads_the_status_under_its_other_name():
    (line,) = read_imports({"itemList": [{"imptItemSttsCd": "3", "totWt": None}]})

    assert (line.status_code, line.gross_weight) == ("3", None)


def test_it_reads_what_a_supplier_says(data):
    (invoice,) = read_supplier_invoices(data("purchase_sales_list"))

    assert (invoice.supplier_pin, invoice.number) == ("P000000000S", 77)
    assert (invoice.scu_id, invoice.kind, invoice.payment_code) == ("KRACU0100000002", "S", "02")
    assert invoice.confirmed_at == datetime(2026, 10, 4, 13, 20, 11, tzinfo=UTC)
    assert invoice.date == date(2026, 10, 4)
    assert invoice.taxable == Decimal(5000)
    assert invoice.tax == Decimal(800)
    assert invoice.total == Decimal(5800)
    (line,) = invoice.lines
    assert (line.item_code, line.tax_letter) == ("KE2CTNO0000009", "B")
    assert (line.quantity, line.price) == (Decimal(5), Decimal(1160))
    assert (line.taxable, line.tax, line.total) == (Decimal(5000), Decimal(800), Decimal(5800))


def test_it_copies_no_amount_that_it_cannot_read(data):
    (row,) = data("purchase_sales_list")["saleList"]

    with pytest.raises(OutcomeUnknown, match="totAmt") as caught:
        read_supplier_invoices({"saleList": [{**row, "totAmt": None}]})

    assert caught.value.code == "unreadable_answer"


def test_one_odd_invoice_hides_no_other(data):
    (row,) = data("purchase_sales_list")["saleList"]
    rows = [row | {"totAmt": None}, row, row | {"itemList": 7}]

    readable, faults = sift_supplier_invoices({"saleList": rows})

    assert [one.number for one in readable] == [77]
    assert [fault[:15] for fault in faults] == ["P000000000S/77:", "P000000000S/77:"]


def test_no_list_of_invoices_is_no_answer():
    with pytest.raises(OutcomeUnknown):
        sift_supplier_invoices({"saleList": 7})


def test_nothing_offered_is_nothing():
    assert read_imports(None) == ()
    assert read_supplier_invoices(None) == ()
    assert sift_supplier_invoices(None) == ((), ())
