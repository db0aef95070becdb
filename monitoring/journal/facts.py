"""What an entry says about each kind of fact. The same words are built again when it is verified,
so a changed row is found by comparing.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import rfc8785
from django.db import connection
from django.db.models import F
from django.utils import timezone

from devices.models import Device
from monitoring.models import UnjournaledFact
from sales.models import LETTERS, Invoice, Receipt, ZReport

Facts = dict[str, Any]
# JSON of RFC 8785 holds whole numbers up to here; a larger one is written as text.
SAFE = 2**53 - 1
# Long after every timeout, lease and restart: whoever made this call is dead.
OPEN_AFTER_S = 3600.0

CALLS = """
    SELECT id, endpoint, reference, number, attempt, transmission, started_at, finished_at,
        http_status, outcome, code, request_id,
        encode(sha256(convert_to(request, 'UTF8')), 'hex') AS request_sha256,
        CASE WHEN http_status IS NOT NULL
            THEN encode(sha256(convert_to(answer, 'UTF8')), 'hex') END AS answer_sha256
    FROM devices_call WHERE id = ANY(%s)
"""


def record(what: str, subject: int, facts: Facts) -> None:
    """A sink of core/events.py: one insert in the caller's transaction."""
    if what.startswith("sale."):
        return  # what KRA signed or refused is read from its rows
    if what == "device.state":
        state = Device.objects.values("state", reason=F("state_reason")).get(pk=subject)
        note(subject, "device_state", {**facts, **state})
    else:
        note(subject, what, facts)


def note(device_id: int, kind: str, facts: Facts) -> None:
    if kind in READERS:
        raise ValueError(f"Facts of the kind {kind!r} are read from their rows.")
    UnjournaledFact.objects.create(
        device_id=device_id, kind=kind, facts=plain(facts), at=timezone.now()
    )


def plain(value: Any) -> Any:
    """As canonical JSON can hold it. Times are UTC, money is text."""
    if isinstance(value, dict):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.replace("\x00", "")  # PostgreSQL knows no NUL
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > SAFE:
        return str(value)
    return value


def calls(ids: Iterable[int]) -> dict[int, Facts]:
    """The bodies are hashed where they lie: none of them is moved or decoded here."""
    with connection.cursor() as cursor:
        cursor.execute(CALLS, [list(ids)])
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row.pop("id"): plain(row) for row in rows}


def receipts(ids: Iterable[int]) -> dict[int, Facts]:
    """What KRA signed, and our own figures of the document it stands for."""
    rows = Receipt.objects.filter(pk__in=list(ids)).select_related("invoice")
    return {row.pk: _receipt(row) for row in rows.prefetch_related("invoice__lines")}


RECEIPT = ("number", "receipt_number", "total_receipts", "internal_data", "signature", "signed_at",
           "scu_id")  # fmt: skip
INVOICE = ("kind", "reference", "version", "sold_at", "payment_method", "credit_reason", "total",
           "taxable", "tax", "discount", "content_hash")  # fmt: skip
LINE = ("sequence", "item_id", "name", "quantity", "unit_price", "discount", "letter", "rate",
        "taxable", "tax", "total")  # fmt: skip


def _receipt(receipt: Receipt) -> Facts:
    invoice = receipt.invoice
    facts = {name: getattr(receipt, name) for name in RECEIPT}
    facts["document"] = {name: getattr(invoice, name) for name in INVOICE}
    facts["document"] |= {"id": invoice.pk, "original": invoice.original_id}
    facts["document"]["letters"] = _letters(invoice)
    facts["document"]["lines_sha256"] = _lines(invoice)
    # Who bought is proven and not told.
    buyer = "\n".join([invoice.customer_pin, invoice.customer_name, invoice.customer_phone])
    facts["document"]["buyer_sha256"] = sha256(buyer.encode()).hexdigest()
    return dict(plain(facts))


def _letters(invoice: Invoice) -> Facts:
    pairs = {
        letter: [getattr(invoice, f"{part}_{letter.lower()}") for part in ("taxable", "tax")]
        for letter in LETTERS
    }
    return {letter: pair for letter, pair in pairs.items() if any(pair)}


def _lines(invoice: Invoice) -> str:
    lines = [
        {name: getattr(line, name) for name in LINE}
        for line in sorted(invoice.lines.all(), key=lambda line: line.sequence)
    ]
    return sha256(rfc8785.dumps(plain(lines))).hexdigest()


def z_reports(ids: Iterable[int]) -> dict[int, Facts]:
    """The hash is taken of what the report says now, not copied from beside it."""
    rows = ZReport.objects.filter(pk__in=list(ids))
    return {
        row.pk: plain(
            {
                "number": row.number,
                "day": row.day,
                "closed_at": row.closed_at,
                "closed_by": row.closed_by,
                "sha256": sha256(row.content.encode()).hexdigest(),
            }
        )
        for row in rows
    }


# Kinds whose facts are read from a row, when they are entered and again when they are verified.
READERS: dict[str, Callable[[Iterable[int]], dict[int, Facts]]] = {
    "call": calls,
    "receipt": receipts,
    "z_report": z_reports,
}
GONE = {"deleted": True}


def as_open(facts: Facts) -> Facts:
    """A call as it was before its end, even if that has come this very moment."""
    ends = dict.fromkeys(("finished_at", "http_status", "answer_sha256"))
    return facts | ends | {"outcome": "", "code": ""} if facts != GONE else facts
