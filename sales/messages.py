"""A sale or credit note in KRA's words, and KRA's answers in ours."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from core.events import announce
from devices.models import Device
from items.models import Item
from items.services import Customer, StockLine, book_stock
from kra.answers import Reply
from kra.errors import OutcomeUnknown, Rejected
from kra.readers import read_invoice, read_signature
from kra.records import Signature, StoredInvoice
from kra.requests import (
    InvoiceDetailsRequest,
    LetterAmount,
    SaleLine,
    SaleReceipt,
    SaleRequest,
    numbered,
)
from kra.times import format_date, format_instant
from outbox.handlers import Found, NumberedHandler
from outbox.models import Transmission

from .models import LETTERS, Invoice, InvoiceLine, Kind
from .statements import store_receipt

ONE = Decimal(1)
# An original without a buyer's name can never be credited on the gateway (rule C2).
WALK_IN = "Walk-in customer"


def content_of(invoice: Invoice, lines: list[InvoiceLine], rates: dict[str, Decimal]) -> bytes:
    """The document as it is accepted: complete but for the fiscal number, which comes later."""
    is_credit = invoice.kind == Kind.CREDIT_NOTE
    moment = format_instant(invoice.sold_at)
    pin = invoice.customer_pin or None
    user = invoice.device.serial[:20]
    return SaleRequest(
        tin=invoice.company.pin,
        bhfId=invoice.branch.code,
        trdInvcNo=invoice.reference,
        invcNo=0,
        orgInvcNo=original_number(invoice),
        custTin=pin,
        custNm=invoice.customer_name or WALK_IN,
        rcptTyCd="R" if is_credit else "S",
        pmtTyCd=invoice.payment_method,
        cfmDt=moment,
        salesDt=format_date(invoice.sold_at),
        stockRlsDt=moment,
        rfdDt=moment if is_credit else None,
        rfdRsnCd=invoice.credit_reason or None,
        totItemCnt=len(lines),
        letters=_letters(invoice, rates),
        totTaxblAmt=invoice.taxable,
        totTaxAmt=invoice.tax,
        totAmt=invoice.total,
        remark=invoice.remark or None,
        regrId=user,
        regrNm=invoice.company.name[:60],
        modrId=user,
        modrNm=invoice.company.name[:60],
        receipt=SaleReceipt(
            custTin=pin,
            custMblNo=invoice.customer_phone or None,
            rcptPbctDt=moment,
            trdeNm=(invoice.company.trade_name or invoice.company.name)[:20],
            adrs=invoice.branch.address or None,
        ),
        itemList=[_line(line) for line in lines],
    ).encode()


def original_number(invoice: Invoice) -> int:
    original = invoice.original
    if original is None or original.transmission is None:
        return 0
    return original.transmission.number or 0


def _letters(invoice: Invoice, rates: dict[str, Decimal]) -> dict[str, LetterAmount]:
    return {
        letter: LetterAmount(
            taxable=getattr(invoice, f"taxable_{letter.lower()}"),
            rate=rates[letter],
            tax=getattr(invoice, f"tax_{letter.lower()}"),
        )
        for letter in LETTERS
    }


def _line(line: InvoiceLine) -> SaleLine:
    item: Item = line.item
    return SaleLine(
        itemSeq=line.sequence,
        itemCd=item.code,
        itemClsCd=item.classification,
        itemNm=line.name,
        bcd=item.barcode or None,
        pkgUnitCd=item.packaging_unit,
        pkg=ONE,  # rule T8: 1 on sales, whatever the quantity
        qtyUnitCd=item.quantity_unit,
        qty=line.quantity,
        prc=line.unit_price,
        splyAmt=line.supply,
        dcRt=line.discount_percent,
        dcAmt=line.discount,
        taxTyCd=line.letter,
        taxblAmt=line.taxable,
        taxAmt=line.tax,
        totAmt=line.total,
    )


class SaleMessage(NumberedHandler):
    """Sales and credit notes: they share the fiscal numbers of their device (rule N1)."""

    endpoint = "sales_save"
    lookup = "invoice_details"

    def build(self, row: Transmission, number: int | None) -> bytes:
        assert row.content is not None
        assert number is not None
        return numbered(bytes(row.content), number)

    def read(self, reply: Reply) -> Signature:
        return read_signature(reply.data)

    def accepted(self, row: Transmission, receipt: Signature) -> None:
        invoice_id, has_goods = store_receipt(row, receipt, timezone.now())
        announce("sale.signed", row.pk)
        if has_goods:
            move_goods(Invoice.objects.get(pk=invoice_id), row.lane.device)

    def refused(self, row: Transmission, error: Rejected) -> None:
        announce("sale.refused", row.pk, code=error.code)

    def held(self, row: Transmission) -> None:
        announce("sale.conflict", row.pk, code=row.error_code)

    def lookup_body(self, row: Transmission) -> bytes:
        company = row.lane.device.company
        branch = row.lane.device.branch
        return InvoiceDetailsRequest(
            tin=company.pin, bhfId=branch.code, invcNo=row.number or 0
        ).encode()

    def found(self, row: Transmission, reply: Reply) -> Found | None:
        if reply.is_empty:
            return None
        held = read_invoice(reply.data)
        if held is None:
            return None
        invoice = Invoice.objects.select_related("original__transmission").get(transmission=row)
        differences = differences_of(invoice, row.number or 0, held)
        if not differences and held.signature is None:
            raise OutcomeUnknown("incomplete_answer", "KRA holds the sale without a signature.")
        return Found(held.signature, differences)


def differences_of(invoice: Invoice, number: int, held: StoredInvoice) -> list[str]:
    """Where KRA's record and ours disagree: never adopt another document's receipt."""
    pairs = side_by_side(invoice, number, held)
    return [
        f"{name}: ours {ours}, KRA's {theirs}" for name, ours, theirs in pairs if ours != theirs
    ]


def side_by_side(invoice: Invoice, number: int, held: StoredInvoice) -> list[tuple[str, Any, Any]]:
    """Name, our value and KRA's, of all that must be equal in one and the same document."""
    pairs: list[tuple[str, Any, Any]] = [
        ("number", number, held.number),
        ("type", "R" if invoice.kind == Kind.CREDIT_NOTE else "S", held.kind),
        ("original", original_number(invoice), held.original_number),
        ("buyer PIN", invoice.customer_pin, held.buyer_pin),
        ("buyer", invoice.customer_name or WALK_IN, held.buyer_name),
        ("total", invoice.total, held.total),
        ("tax", invoice.tax, held.tax),
    ]
    # Two sales of one basket look alike in all of the above: the second and the lines tell.
    if held.confirmed_at is not None:
        pairs.append(("time", invoice.sold_at.replace(microsecond=0), held.confirmed_at))
    if held.lines:
        lines = [(line.item_code, line.quantity, line.total) for line in held.lines]
        pairs.append(("lines", _lines_of(invoice), lines))
    return pairs


def _lines_of(invoice: Invoice) -> list[tuple[str, Decimal, Decimal]]:
    lines = invoice.lines.select_related("item")
    return [(line.item.code, line.quantity, line.total) for line in lines]


def move_goods(invoice: Invoice, device: Device) -> None:
    """Stock follows its sale (rule S1), out of it or back into it; services never (S3)."""
    if invoice.kind == Kind.CREDIT_NOTE and not invoice.returns_goods:
        return
    book_stock(
        device=device,
        type="03" if invoice.kind == Kind.CREDIT_NOTE else "11",
        lines=[StockLine(x.item_id, x.quantity, x.unit_price) for x in invoice.lines.all()],
        reference=invoice.reference,
        occurred_at=invoice.sold_at,
        customer=Customer(invoice.customer_pin, invoice.customer_name or WALK_IN),
    )
