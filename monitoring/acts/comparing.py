"""Both sides of a doubt, field by field: what we hold and what KRA holds."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from msgspec import Struct

from devices.models import Call
from kra.answers import read
from kra.client import Answer
from kra.errors import KRAError
from kra.readers import read_invoice
from outbox.models import Transmission
from sales.messages import side_by_side
from sales.models import Difference, Invoice


class Compared(Struct, frozen=True):
    field: str
    ours: str
    kra: str
    # None: only one side knows it.
    is_equal: bool | None

    @classmethod
    def of(cls, field: str, ours: Any, kra: Any) -> "Compared":
        """The values are compared, not how they are written: 320 is 320.00."""
        return cls(field, _said(ours), _said(kra), ours == kra)


def of_difference(case: Difference) -> list[Compared]:
    """The figures of the last look; what is waiting here stands beside what KRA signed."""
    waiting = case.invoice
    ours: tuple[Any, Any, Any] = (case.our_kind, case.our_total, case.our_vat)
    if waiting is not None and not case.our_kind:
        ours = (waiting.kind, waiting.total, waiting.tax)
    theirs = (case.kra_kind, case.kra_total, case.kra_vat)
    rows = [
        Compared.of(name, mine, held)
        for name, mine, held in zip(("kind", "total", "VAT"), ours, theirs, strict=True)
    ]
    reference = waiting.reference if waiting is not None else "none waits here"
    return [Compared.of("number", case.number, case.number), *rows,
            Compared("our reference", reference, "-", None)]  # fmt: skip


def of_invoice(invoice: Invoice) -> list[Compared]:
    """Our document beside KRA's answer to the latest look-up of its number; empty without one."""
    return of_transmission(invoice.transmission) if invoice.transmission else []


def of_transmission(row: Transmission) -> list[Compared]:
    invoice = Invoice.objects.select_related("original__transmission").filter(transmission=row)
    ours, call = invoice.first(), _last_look_up(row)
    if ours is None or call is None:
        return []
    try:
        reply = read(call.endpoint, Answer(call.http_status or 0, call.answer.encode(), 0))
        held = None if reply.is_empty else read_invoice(reply.data)
    except KRAError:
        return []
    if held is None:
        return []
    pairs = side_by_side(ours, row.number or call.number or 0, held)
    return [Compared.of(name, mine, theirs) for name, mine, theirs in pairs]


def _last_look_up(row: Transmission) -> Call | None:
    looked = Call.objects.filter(transmission=row.pk, endpoint="invoice_details")
    return looked.exclude(answer="").order_by("-pk").first()


def _said(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%d/%m/%Y %H:%M:%S}"
    if isinstance(value, list):
        return "; ".join(", ".join(_said(part) for part in line) for line in value)
    return str(value)
