"""What goes to KRA, byte by byte, and that no text of a till can reach its number."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import time_machine

from items.models import StockMovement
from kra.records import StoredInvoice, StoredLine
from kra.requests import numbered
from outbox.models import Transmission
from sales.messages import differences_of

GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 11, 22, 7, 15, tzinfo=UTC)
# Everything at once: two letters, a service, a fraction, discounts on a line and on the whole.
FULL = {
    "customer": {"pin": "A123456789Z", "name": "Baraka Duka", "phone": "0712345678"},
    "payment_method": "mobile_money",
    "remark": 'Say "hi"\\, "invcNo":0, \U0001f600',
    "discount_amount": "50",
    "lines": [
        {"item": "KETTLE", "quantity": "2", "discount_percent": "10"},
        {"item": "SEED", "quantity": "1.5"},
        {"item": "FIT", "quantity": "1"},
    ],
}
HOSTILE = [
    '"invcNo":0,',
    '","invcNo":0,"',
    '\\","invcNo":0,"x":"',
    "\\u0022invcNo\\u0022:0,",
    '\\\\","invcNo":0,',
    "\"'<>&%s{}",
]


def golden(name):
    return (GOLDEN / name).read_bytes().rstrip(b"\n")


@time_machine.travel(NOON, tick=False)
def test_it_writes_a_sale_as_published(sell):
    sale = sell("TILL1-000123", **FULL)

    assert bytes(sale.transmission.content) == golden("sale.json")


@time_machine.travel(NOON, tick=False)
def test_it_writes_a_credit_note_as_published(signed, credit):
    sale = signed("T-0")  # so that the original is not number 1
    sale = signed("T-1", **FULL)
    assert sale.receipt.number == 2

    note = credit(lines=[{"line": 1, "quantity": "1"}, {"line": 2, "quantity": "0.5"}])

    assert bytes(note.transmission.content) == golden("credit_note.json")


@pytest.mark.parametrize("text", HOSTILE)
def test_it_numbers_the_document_and_nothing_else(sell, text):
    sale = sell(
        text,
        remark=text,
        customer={"name": text},
    )
    content = bytes(sale.transmission.content)

    document = msgspec.json.decode(numbered(content, 9_876_543_210))

    expected = msgspec.json.decode(content) | {"invcNo": 9_876_543_210}
    assert document == expected
    assert (document["trdInvcNo"], document["remark"], document["custNm"]) == (text, text, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_not_fooled_by_the_names_of_a_company(device, sell, text):
    device.company.name = device.company.trade_name = text
    device.branch.address = text
    device.company.save()
    device.branch.save()

    content = bytes(sell().transmission.content)

    assert msgspec.json.decode(numbered(content, 5)) == msgspec.json.decode(content) | {"invcNo": 5}


def test_it_refuses_content_without_a_place_for_the_number():
    with pytest.raises(ValueError, match="no place for a number"):
        numbered(b'{"invcNo":1,"remark":"\\"invcNo\\":0,"}', 2)


def test_it_sends_a_buyer_without_name_or_pin_as_a_walk_in(sell):
    document = msgspec.json.decode(bytes(sell().transmission.content))

    assert (document["custTin"], document["custNm"]) == (None, "Walk-in customer")
    assert (document["receipt"]["custTin"], document["receipt"]["custMblNo"]) == (None, None)


def test_a_training_sale_is_never_owed_to_kra(accept):
    made = accept(training=True)

    assert made.invoice.transmission is None
    assert made.invoice.status == "training"
    assert not Transmission.objects.exists()
    assert not StockMovement.objects.exists()


def held(sale, **changes):
    """KRA's record of the sale, equal to ours but for what is told."""
    facts = {
        "number": 1,
        "original_number": 0,
        "kind": "S",
        "buyer_pin": sale.customer_pin,
        "buyer_name": "Walk-in customer",
        "total": sale.total,
        "tax": sale.tax,
        "taxable": sale.taxable,
        "signature": None,
        "date": sale.sold_at.date(),
        "confirmed_at": sale.sold_at.replace(microsecond=0),
        "lines": (StoredLine("KE2NTNO0000001", Decimal(1), sale.total),),
    }
    return StoredInvoice(**facts | changes)


def test_it_recognises_its_own_document(signed):
    sale = signed()

    assert differences_of(sale, 1, held(sale)) == []
    assert differences_of(sale, 1, held(sale, confirmed_at=None, lines=())) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("number", 2, "number"),
        ("kind", "R", "type"),
        ("original_number", 1, "original"),
        ("buyer_pin", "B123456789Z", "buyer PIN"),
        ("buyer_name", "walk-in customer", "buyer"),
        ("total", Decimal("2320.01"), "total"),
        ("tax", Decimal("319.99"), "tax"),
        ("confirmed_at", NOON, "time"),
        ("lines", (StoredLine("KE2NTNO0000001", Decimal(2), Decimal(2320)),), "lines"),
    ],
)
def test_it_sees_each_difference_to_what_kra_holds(signed, name, value, said):
    sale = signed()

    (difference,) = differences_of(sale, 1, held(sale, **{name: value}))

    assert difference.startswith(f"{said}: ours ")
