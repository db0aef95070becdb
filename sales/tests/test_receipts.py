"""The printed receipt, compared line by line with the one that was checked by hand."""

import pytest
import time_machine

from sales.errors import NotSigned
from sales.models import Invoice
from sales.receipts import text
from sales.receipts.document import dashed
from sales.receipts.printing import document_of, original_label

from .conftest import read
from .shop import settle, sign
from .test_messages import FULL, GOLDEN, NOON


def text_receipt(invoice):
    return text.lay_out(document_of(invoice, original_label(invoice)))


def golden(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


@time_machine.travel(NOON, tick=False)
def test_it_prints_a_sale(signed):
    assert text_receipt(signed("TILL1-000123", **FULL)) == golden("sale.txt")


@time_machine.travel(NOON, tick=False)
def test_it_prints_a_credit_note_with_negative_amounts(signed, credit):
    signed("T-1", **FULL)
    note = credit(lines=[{"line": 1, "quantity": "1"}, {"line": 2, "quantity": "0.5"}])
    sign(note)

    assert text_receipt(read(note)) == golden("credit_note.txt")


@time_machine.travel(NOON, tick=False)
def test_it_prints_no_warning_in_production(device, sell):
    type(device.company).objects.update(environment="production")
    sale = sell()
    sign(sale)

    text = text_receipt(read(sale))

    assert "NOT A TAX INVOICE" not in text
    assert text.endswith("https://etims.kra.go.ke/common/link/etims/receipt/"
                         "indexEtimsReceiptData?Data=A123456789Z00V249J39CFJ48HE2W\n"
                         + "-" * 42 + "\n")  # fmt: skip


@pytest.mark.parametrize("status", ["queued", "sending", "unknown", "conflict", "refused"])
def test_it_prints_nothing_before_kra_has_signed(sell, status):
    sale = sell()
    settle(sale, status)
    sale = read(sale)

    with pytest.raises(NotSigned, match=f"The sale is {status}. Promise link: {sale.public_url}"):
        text_receipt(sale)


def test_it_prints_a_training_sale_without_anything_of_kra(accept):
    text = text_receipt(read(accept(training=True).invoice))

    assert text.count("N O T   A N   O F F I C I A L") == 2
    assert "TRAINING SALE" in text
    assert "SCU INFORMATION" not in text
    assert "etims" not in text


def test_it_keeps_large_amounts_apart(signed):
    items = [{"item": "KETTLE", "quantity": "99999.99", "unit_price": "99999.99"}]
    sale = signed(lines=items, prices_include_tax=True)

    lines = text_receipt(sale).splitlines()

    assert "  99,999.99 x 99999.99   9,999,998,000.00B" in lines
    assert [line for line in lines if len(line) > 42] == [sale.receipt.qr_url]


def test_it_breaks_a_line_whose_two_sides_would_touch(signed):
    items = [{"item": "SEED", "quantity": "1000000", "unit_price": "1250000.00"}]
    sale = signed(lines=items, prices_include_tax=True)

    lines = text_receipt(sale).splitlines()

    place = lines.index("  1,250,000.00 x 1000000")
    assert lines[place + 1] == "1,250,000,000,000.00A-EX".rjust(42)


@pytest.mark.parametrize(
    ("text", "printed"), [("", ""), ("ABCD", "ABCD"), ("ABCDE", "ABCD-E"), ("A" * 9, "AAAA-AAAA-A")]
)
def test_it_dashes_every_four_characters(text, printed):
    assert dashed(text) == printed


def test_two_receipts_of_one_sale_are_the_same(signed):
    sale = signed()

    assert text_receipt(sale) == text_receipt(Invoice.objects.whole().get(pk=sale.pk))
