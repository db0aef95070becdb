"""What an event says: ids, the state, and what KRA signed. Nothing about the buyer.

The facts of an event never change, and a receipt never does: every attempt says the same.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from kra.codes import explain
from monitoring.models import Event
from sales.models import Invoice
from sales.outputs import ReceiptOutput, links_of, money


class EventFacts(Struct, kw_only=True, omit_defaults=True):
    """Of a device: its state. Of a sale or credit note: what a till prints, or calls somebody for;
    what does not apply is left out.
    """

    device: str
    branch: str
    state: Annotated[str, Meta(description="Of a device.")] = ""
    reason: str = ""
    id: Annotated[int, Meta(description="Of a sale or credit note, like all that follow.")] = 0
    reference: str = ""
    version: int = 0
    total: str = ""
    tax_amount: str = ""
    sold_at: datetime | None = None
    link: Annotated[str, Meta(description="GET it for all the rest.")] = ""
    public_url: str = ""
    receipt: ReceiptOutput | None = None
    code: Annotated[str, Meta(description="KRA's code, of a refusal or a conflict.")] = ""
    message: str = ""


class EventOutput(Struct, kw_only=True):
    id: Annotated[str, Meta(description="The same at every attempt: drop what you know already.")]
    type: str
    timestamp: datetime
    data: EventFacts


_READ = (
    "key", "kind", "facts", "created_at", "recorded_in", "company_id",
    "device__serial", "device__branch__code",
    "invoice__reference", "invoice__version", "invoice__total", "invoice__tax", "invoice__sold_at",
    "invoice__public_token", "invoice__device__serial", "invoice__branch__code",
    "invoice__company__pin", "invoice__company__environment",
    "invoice__receipt__number", "invoice__receipt__receipt_number",
    "invoice__receipt__total_receipts", "invoice__receipt__internal_data",
    "invoice__receipt__signature", "invoice__receipt__signed_at", "invoice__receipt__scu_id",
)  # fmt: skip


def whole(events: Any) -> Any:
    """With all that `output_of` reads, and no secret."""
    return events.select_related(
        "device__branch",
        "invoice__receipt",
        "invoice__company",
        "invoice__branch",
        "invoice__device",
    ).only(*_READ)


def output_of(event: Event) -> EventOutput:
    return EventOutput(
        id=message_id(event),
        type=event.kind,
        timestamp=event.created_at,
        data=_data(event),
    )


def message_id(event: Event) -> str:
    return f"evt_{event.key.hex}"


def _data(event: Event) -> EventFacts:
    if event.invoice is None:
        device = event.device
        return EventFacts(device=device.serial, branch=device.branch.code, **event.facts)
    return _sale(event.invoice, event)


def _sale(invoice: Invoice, event: Event) -> EventFacts:
    receipt = getattr(invoice, "receipt", None) if event.kind.endswith(".signed") else None
    if receipt is not None:
        receipt.invoice = invoice  # its QR link asks for company and branch
    code = event.facts.get("code", "")
    return EventFacts(
        id=invoice.pk,
        reference=invoice.reference,
        version=invoice.version,
        branch=invoice.branch.code,
        device=invoice.device.serial,
        total=money(invoice.total),
        tax_amount=money(invoice.tax),
        sold_at=invoice.sold_at,
        link=links_of(invoice).self,
        public_url=invoice.public_url,
        receipt=ReceiptOutput.of(receipt) if receipt is not None else None,
        code=code,
        # Our own words: KRA's, and the differences of a conflict, may name the buyer.
        message=explain(code).cause if code else "",
    )


def outputs_of(events: Iterable[Event]) -> list[EventOutput]:
    return [output_of(event) for event in events]


def body_of(event: Event) -> bytes:
    """The message as it is signed and sent (Standard Webhooks: type, timestamp, data)."""
    return msgspec.json.encode(output_of(event))
