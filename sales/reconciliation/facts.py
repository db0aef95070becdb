"""What each side says about one number, and where the two disagree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kra.records import ListedInvoice
from kra.times import NAIROBI
from outbox.models import Status
from sales.models import Difference, HeldDocument, Invoice, Kind

Case = Difference.Kind


@dataclass(frozen=True, slots=True)
class Facts:
    kind: str
    total: Decimal
    vat: Decimal
    day: date
    signature: str
    is_cancelled: bool = False


def ours_of(device_id: int, number: int) -> Invoice | None:
    """Our signed invoice under a fiscal number."""
    signed = Invoice.objects.filter(
        transmission__lane__device_id=device_id,
        transmission__kind="sale",
        transmission__number=number,
        transmission__status=Status.ACCEPTED,
    )
    return signed.select_related("receipt").first()


def waiting_under(device_id: int, number: int) -> Invoice | None:
    """Our invoice that took this number and has no verdict of KRA yet."""
    taken = Invoice.objects.filter(
        transmission__lane__device_id=device_id,
        transmission__kind="sale",
        transmission__number=number,
        transmission__status__in=[Status.SENDING, Status.UNKNOWN, Status.CONFLICT, Status.QUEUED],
    )
    return taken.first()


def facts_of(invoice: Invoice | None) -> Facts | None:
    if invoice is None:
        return None
    receipt = getattr(invoice, "receipt", None)
    return Facts(
        kind=invoice.kind,
        total=invoice.total,
        vat=invoice.tax,
        day=invoice.sold_at.astimezone(NAIROBI).date(),
        signature=receipt.signature if receipt else "",
    )


def facts_listed(listed: ListedInvoice | None) -> Facts | None:
    if listed is None:
        return None
    return Facts(
        kind=Kind.CREDIT_NOTE.value if listed.kind == "R" else Kind.SALE.value,
        total=listed.total,
        vat=listed.tax,
        day=listed.date,
        signature=listed.signature,
        is_cancelled=listed.is_cancelled,
    )


def facts_held(row: HeldDocument | None) -> Facts | None:
    if row is None:
        return None
    return Facts(row.kind, row.total, row.vat, row.day, row.signature, row.is_cancelled)


def weigh(number: int, ours: Facts | None, theirs: Facts | None) -> tuple[str, str] | None:
    """The kind of a difference and what it is in words; None when the two agree."""
    if ours is None and theirs is None:
        return Case.NUMBER_GAP, f"Neither our books nor KRA's have number {number}."
    if theirs is None:
        return Case.MISSING_AT_KRA, f"We hold a signature for number {number}; KRA knows no such."
    if ours is None:
        return Case.MISSING_HERE, f"KRA holds number {number}; we have no signed sale under it."
    found = list(_disagreements(ours, theirs))
    return (found[0][0], "; ".join(words for _, words in found)[:500]) if found else None


def _disagreements(ours: Facts, theirs: Facts) -> Iterator[tuple[str, str]]:
    """The gravest first: it names the case."""
    if ours.kind != theirs.kind:
        yield Case.TYPE_DIFFERS, f"type: ours {ours.kind}, KRA's {theirs.kind}"
    if ours.total != theirs.total:
        yield Case.AMOUNT_DIFFERS, f"total: ours {ours.total}, KRA's {theirs.total}"
    if ours.vat != theirs.vat:
        yield Case.VAT_DIFFERS, f"VAT: ours {ours.vat}, KRA's {theirs.vat}"
    if theirs.is_cancelled:
        yield Case.SIGNED_OTHERWISE, "KRA has it as cancelled"
    if ours.signature != theirs.signature:
        yield Case.SIGNED_OTHERWISE, f"signature: ours {ours.signature}, KRA's {theirs.signature}"
    if ours.day != theirs.day:
        yield Case.SIGNED_OTHERWISE, f"day of sale: ours {ours.day}, KRA's {theirs.day}"
