"""Hand a receipt out, on record: the first print is the original, every later one a copy (R3).

Deciding, recording and rendering are one short transaction under a lock of the invoice: two tills
that print at once get one original and one copy, and a receipt that could not be rendered has not
been printed. Whether the answer arrived nobody here can know. So a till names its print
(`print_id`): asking again with the same name is the same paper. And paper that came out spoiled is
said to be so, by name and with a reason; then the next print is the original.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from core.errors import Conflict, Problem
from sales.models import ORIGINALS, Invoice, InvoiceLine, Kind, Label, ReceiptPrint

from .branding import branding_for
from .document import ReceiptDocument, build, signed_receipt
from .formats import Format
from .words import Language

REPEAT_WITHIN = timedelta(minutes=15)
BUYER_PAGE = "buyer page"


class PrintIdSpent(Conflict):
    code = "print_id_spent"
    help = "Ask with a print_id of its own; or say that the paper was spoiled, with the reason."


class NothingToSpoil(Conflict):
    code = "nothing_to_spoil"
    help = "GET the invoice's prints/ lists what was printed. A copy needs no such word."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to be handed."""

    format: Format
    by: str
    print_id: str = ""
    is_copy: bool = False
    language: Language | None = None
    # Whoever asks for the head of an answer prints nothing.
    only_looks: bool = False

    @property
    def is_print(self) -> bool:
        if self.only_looks:
            return False
        return self.format.is_print or self.print_id != ""


@dataclass(frozen=True, slots=True)
class Handed:
    label: Label
    body: bytes


def hand_out(invoice: Invoice, wanted: Wanted) -> Handed:
    """The receipt in the format; a print goes on record. Raises NotSigned and PrintIdSpent."""
    if not wanted.is_print:
        return _made(invoice, copy_label(invoice), wanted)
    if not invoice.is_training:
        signed_receipt(invoice)
    with transaction.atomic():
        Invoice.objects.select_for_update(no_key=True).only("pk").get(pk=invoice.pk)
        return _made(invoice, _recorded(invoice, wanted), wanted)


def hand_out_proforma(basket: Invoice, lines: Sequence[InvoiceLine], wanted: Wanted) -> Handed:
    """The receipt of what is not sold (PS): on record with its amount, never sent to KRA. Asked
    for again with the same print_id it counts once. Raises PrintIdSpent.
    """
    document = document_of(basket, Label.PROFORMA, wanted.language, lines)
    with transaction.atomic():
        if wanted.is_print:
            _record_proforma(basket, wanted)
        body = wanted.format.render(document)
    return Handed(Label.PROFORMA, body)


def _record_proforma(basket: Invoice, wanted: Wanted) -> None:
    """Of two that come at once the second waits for the first, and then repeats it."""
    try:
        with transaction.atomic():
            _print_row(basket, wanted, Label.PROFORMA).save(force_insert=True)
            return
    except IntegrityError:
        named = ReceiptPrint.objects.filter(device=basket.device_id, invoice=None)
        earlier = named.filter(print_id=wanted.print_id).exclude(print_id="").first()
        if earlier is None:
            raise
    is_same = (earlier.reference, earlier.total) == (basket.reference, basket.total)
    _repeated(earlier, wanted, problem="" if is_same else "It names a print of another basket.")


def note_page_view(invoice: Invoice) -> None:
    """The buyer's page is one copy, recorded when it is first seen."""
    row = _row(invoice, BUYER_PAGE, copy_label(invoice))
    row.format, row.invoice = "html", invoice
    ReceiptPrint.objects.bulk_create([row], ignore_conflicts=True)


def spoil(invoice: Invoice, *, by: str, reason: str) -> ReceiptPrint:
    """Take the original's paper back, for good: the next print is the original again."""
    now = timezone.now()
    with transaction.atomic():
        rows = ReceiptPrint.objects.select_for_update(no_key=True, of=("self",))
        out = rows.filter(invoice=invoice, label__in=ORIGINALS, spoiled_at=None)
        original = out.first()
        if original is None:
            raise NothingToSpoil("No original of this receipt is out.")
        original.spoiled_at, original.spoiled_by, original.spoiled_reason = now, by, reason
        original.save(update_fields=["spoiled_at", "spoiled_by", "spoiled_reason"])
    return original


def original_label(invoice: Invoice) -> Label:
    is_credit = invoice.kind == Kind.CREDIT_NOTE
    if invoice.is_training:
        return Label.TRAINING_CREDIT_NOTE if is_credit else Label.TRAINING_SALE
    return Label.CREDIT_NOTE if is_credit else Label.SALE


def copy_label(invoice: Invoice) -> Label:
    """Of all that is not the original. Training has no original."""
    label = original_label(invoice)
    return {Label.SALE: Label.SALE_COPY, Label.CREDIT_NOTE: Label.CREDIT_NOTE_COPY}.get(
        label, label
    )


def document_of(
    invoice: Invoice,
    label: Label,
    language: Language | None = None,
    lines: Sequence[InvoiceLine] | None = None,
) -> ReceiptDocument:
    """Every receipt that leaves the house is built here: what a company adds to it comes in."""
    branding = branding_for(invoice.company_id)
    return build(invoice, label=label, branding=branding, language=language, lines=lines)


def _made(invoice: Invoice, label: Label, wanted: Wanted) -> Handed:
    return Handed(label, wanted.format.render(document_of(invoice, label, wanted.language)))


def _recorded(invoice: Invoice, wanted: Wanted) -> Label:
    """The label of this print. The invoice is locked."""
    prints = ReceiptPrint.objects.filter(invoice=invoice)
    if wanted.print_id:
        earlier = prints.filter(print_id=wanted.print_id).first()
        if earlier is not None:
            return _repeated(earlier, wanted)
    label = original_label(invoice)
    is_out = label.is_original and prints.filter(label=label, spoiled_at=None).exists()
    if is_out or wanted.is_copy:
        label = copy_label(invoice)
    _record(invoice, wanted, label)
    return label


def _repeated(earlier: ReceiptPrint, wanted: Wanted, *, problem: str = "") -> Label:
    """The same paper again, for a till whose answer was lost."""
    if (earlier.printed_by, earlier.format) != (wanted.by, wanted.format.suffix):
        problem = "It names a print of another token or format."
    elif earlier.spoiled_at is not None:
        problem = "Its paper was spoiled."
    elif earlier.printed_at < timezone.now() - REPEAT_WITHIN:
        problem = f"It was printed more than {REPEAT_WITHIN.seconds // 60} minutes ago."
    if problem:
        step = "Use another print_id."
        raise PrintIdSpent(
            f"The print {wanted.print_id!r} cannot be repeated.",
            problems=[Problem("print_id", problem, step)],
        )
    ReceiptPrint.objects.filter(pk=earlier.pk).update(repeats=F("repeats") + 1)
    return Label(earlier.label)


def _record(invoice: Invoice, wanted: Wanted, label: Label) -> None:
    row = _print_row(invoice, wanted, label)
    row.invoice = invoice
    row.save(force_insert=True)


def _print_row(invoice: Invoice, wanted: Wanted, label: Label) -> ReceiptPrint:
    row = _row(invoice, wanted.by, label)
    row.format, row.print_id = wanted.format.suffix, wanted.print_id
    return row


def _row(invoice: Invoice, by: str, label: Label) -> ReceiptPrint:
    return ReceiptPrint(
        company_id=invoice.company_id,
        branch_id=invoice.branch_id,
        device_id=invoice.device_id,
        label=label,
        reference=invoice.reference,
        total=invoice.total,
        printed_by=by,
        printed_at=timezone.now(),
    )
