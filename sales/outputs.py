"""What a till gets back: the sale as computed, its state, and the way on."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.utils import timezone
from msgspec import Meta, Struct

from core.money import round_cents
from items.services import Shortage
from kra.codes import explain
from outbox.models import Status
from outbox.queries import blocked_by
from outbox.services import calls_of

from .baskets import Basket
from .heads import InvoiceHead
from .models import LETTERS, Invoice, InvoiceLine, Receipt, emails_are_on
from .words import PAYMENT_NAMES

Money = Annotated[str, Meta(examples=["1160.00"], description="Shillings, two decimals.")]


def money(amount: Decimal) -> str:
    return str(round_cents(Decimal(amount)))


class LineOutput(Struct):
    line: int
    item: str
    name: str
    quantity: str
    unit_price: Money
    discount: Money
    tax: Annotated[str, Meta(description="Tax letter.")]
    rate: str
    taxable_amount: Money
    tax_amount: Money
    total: Money

    @classmethod
    def of(cls, line: InvoiceLine) -> "LineOutput":
        return cls(
            line=line.sequence,
            item=line.item.sku,
            name=line.name,
            quantity=f"{line.quantity.normalize():f}",
            unit_price=money(line.unit_price),
            discount=money(line.discount),
            tax=line.letter,
            rate=f"{line.rate.normalize():f}",
            taxable_amount=money(line.taxable),
            tax_amount=money(line.tax),
            total=money(line.total),
        )


class LetterOutput(Struct):
    letter: str
    taxable_amount: Money
    tax_amount: Money


class ReceiptOutput(Struct):
    """What KRA's control unit signed."""

    invoice_number: int
    cu_invoice_number: Annotated[str, Meta(examples=["KRACU0100000001/17"])]
    receipt_number: int
    total_receipts: int
    internal_data: str
    signature: str
    signed_at: datetime
    scu_id: str
    qr_url: str

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptOutput":
        return cls(
            invoice_number=receipt.number,
            cu_invoice_number=f"{receipt.scu_id}/{receipt.receipt_number}",
            receipt_number=receipt.receipt_number,
            total_receipts=receipt.total_receipts,
            internal_data=receipt.internal_data,
            signature=receipt.signature,
            signed_at=receipt.signed_at,
            scu_id=receipt.scu_id,
            qr_url=receipt.qr_url,
        )


class Trouble(Struct):
    """Why it is not signed yet, for a person."""

    code: str
    message: str
    cause: str
    next_step: str
    next_step_sw: str


class Links(Struct):
    self: str
    receipt: str
    public: Annotated[str, Meta(description="For the buyer: pending now, the receipt once signed.")]
    qr: Annotated[str, Meta(description="The public link as a QR code; .png for .svg works, too.")]


class CallOutput(Struct):
    endpoint: str
    started_at: datetime
    elapsed_ms: int | None
    http_status: int | None
    outcome: str
    code: str
    reason: str


class WarningOutput(Struct):
    """Goods of which KRA holds too little: it may refuse the sale (docs/stock.md)."""

    item: str
    wanted: str
    at_kra: str


def warnings_of(shortages: Iterable[Shortage]) -> list[WarningOutput]:
    return [WarningOutput(one.sku, str(one.wanted), str(one.at_kra)) for one in shortages]


class InvoiceSummary(Struct, kw_only=True):
    """A sale or credit note without its lines: what a list shows."""

    id: int
    reference: str
    kind: str
    status: Annotated[
        str,
        Meta(
            description="queued, sending, signed, refused, unknown, conflict, voided, superseded "
            "or training."
        ),
    ]
    version: int
    device: str
    branch: str
    original: str | None
    sold_at: datetime
    customer_pin: str
    customer_name: str
    customer_email: str
    receipt_email: Annotated[
        str,
        Meta(
            description="`on_signature`: mailed to customer_email once signed; `off`: this "
            "installation sends no mail; empty without an address."
        ),
    ]
    payment_method: str
    currency: str
    exchange_rate: str | None
    prices_include_tax: bool
    total: Money
    taxable_amount: Money
    tax_amount: Money
    discount: Money
    receipt: ReceiptOutput | None
    trouble: Trouble | None
    attempts: int
    next_attempt_at: datetime | None
    deadline_at: datetime | None
    is_late: bool
    links: Links
    created_at: datetime


class InvoiceOutput(InvoiceSummary, kw_only=True):
    letters: list[LetterOutput]
    lines: list[LineOutput]
    blocked_by: str | None = None
    calls: list[CallOutput] | None = None
    # Only in the answer to a sale that is being made.
    warnings: list[WarningOutput] = []


def invoice_output(invoice: Invoice) -> InvoiceOutput:
    return InvoiceOutput(
        **_head(invoice),
        letters=_letters(invoice),
        lines=[LineOutput.of(line) for line in invoice.lines.all()],
    )


def invoice_summary(invoice: Invoice | InvoiceHead) -> InvoiceSummary:
    return InvoiceSummary(**_head(invoice))


def _head(invoice: Any) -> dict[str, Any]:
    row = invoice.transmission
    waiting = row is not None and row.status in (Status.QUEUED, Status.UNKNOWN)
    receipt = getattr(invoice, "receipt", None)
    return {
        "id": invoice.pk,
        "reference": invoice.reference,
        "kind": invoice.kind,
        "status": invoice.status,
        "version": invoice.version,
        "device": invoice.device.serial,
        "branch": invoice.branch.code,
        "original": invoice.original.reference if invoice.original else None,
        "sold_at": invoice.sold_at,
        "customer_pin": invoice.customer_pin,
        "customer_name": invoice.customer_name,
        "customer_email": invoice.customer_email,
        "receipt_email": _receipt_email(invoice),
        "payment_method": PAYMENT_NAMES.get(invoice.payment_method, invoice.payment_method),
        "currency": invoice.currency,
        "exchange_rate": _plain(invoice.exchange_rate),
        "prices_include_tax": invoice.prices_include_tax,
        "total": money(invoice.total),
        "taxable_amount": money(invoice.taxable),
        "tax_amount": money(invoice.tax),
        "discount": money(invoice.discount),
        "receipt": ReceiptOutput.of(receipt) if receipt else None,
        "trouble": trouble_of(invoice),
        "attempts": row.attempts if row else 0,
        "next_attempt_at": row.not_before if row and waiting else None,
        "deadline_at": row.deadline_at if row else None,
        "is_late": _is_late(invoice),
        "links": links_of(invoice),
        "created_at": invoice.created_at,
    }


def _receipt_email(invoice: Invoice) -> str:
    if not invoice.customer_email:
        return ""
    return "on_signature" if emails_are_on() else "off"


def invoice_detail(invoice: Invoice) -> InvoiceOutput:
    """With every call to KRA, and the message that holds this one up."""
    output = invoice_output(invoice)
    row = invoice.transmission
    if row is not None:
        head = blocked_by(row)
        output.blocked_by = head.reference if head else None
        output.calls = [
            CallOutput(
                call.endpoint, call.started_at, call.elapsed_ms, call.http_status,
                call.outcome or "open", call.code, call.reason,
            )
            for call in calls_of(row)
        ]  # fmt: skip
    return output


def trouble_of(invoice: Invoice) -> Trouble | None:
    row = invoice.transmission
    if row is None or row.status == Status.ACCEPTED or not row.error_code:
        return None
    meaning = explain(row.error_code, row.error_message)
    next_step = meaning.next_step
    if row.status == Status.REFUSED:
        own = links_of(invoice).self
        next_step += (
            f" Then POST {own}correct/ with the sale as it was or as it should be, without its"
            f" reference; or POST {own}void/."
        )
    return Trouble(
        row.error_code, row.error_message, meaning.cause, next_step, meaning.next_step_sw
    )


def links_of(invoice: Invoice) -> Links:
    own = f"/api/invoices/{invoice.pk}/"
    public = invoice.public_url
    return Links(self=own, receipt=f"{own}receipt/", public=public, qr=f"{public}qr.svg")


def _is_late(invoice: Invoice) -> bool:
    row = invoice.transmission
    if row is None or row.deadline_at is None:
        return False
    return (row.finished_at or timezone.now()) > row.deadline_at


def _letters(invoice: Invoice) -> list[LetterOutput]:
    amounts = [
        (k, getattr(invoice, f"taxable_{k.lower()}"), getattr(invoice, f"tax_{k.lower()}"))
        for k in LETTERS
    ]
    return [LetterOutput(k, money(n), money(t)) for k, n, t in amounts if n or t]


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


class PreviewOutput(Struct):
    is_valid: bool
    problems: list[dict[str, str]]
    warnings: list[WarningOutput]
    total: Money | None = None
    taxable_amount: Money | None = None
    tax_amount: Money | None = None
    discount: Money | None = None
    letters: list[LetterOutput] | None = None
    lines: list[LineOutput] | None = None


def preview_amounts(output: PreviewOutput, basket: Basket, lines: list[InvoiceLine]) -> None:
    sums = basket.totals
    output.total, output.discount = money(sums.total), money(sums.discount)
    output.taxable_amount, output.tax_amount = money(sums.total_taxable), money(sums.total_tax)
    output.letters = [
        LetterOutput(k, money(sums.taxable[k]), money(sums.tax[k]))
        for k in LETTERS
        if sums.taxable[k] or sums.tax[k]
    ]
    output.lines = [LineOutput.of(line) for line in lines]


class BulkResult(Struct):
    reference: str
    status: Annotated[int, Meta(description="The HTTP status the sale alone would have got.")]
    sale: InvoiceOutput | None = None
    error: dict[str, Any] | None = None


class BulkOutput(Struct):
    accepted: int
    refused: int
    results: list[BulkResult]
