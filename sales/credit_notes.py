"""Credit notes: what may still be given back of a signed sale (rules C1–C5)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from companies.models import ApiToken
from core.errors import NotFound, Problem
from core.money import ZERO, round_cents
from devices.models import Device
from items.rates import rates_on
from kra.times import NAIROBI
from outbox.models import NUMBER_FREE

from .acceptance import Accepted, check_device, find_replay, store_once
from .baskets import convention_of
from .errors import NotCreditable, SaleInvalid
from .models import LETTERS, Invoice, InvoiceLine, Kind, State
from .schemas import CreditNoteInput, fingerprint_of
from .tax import Convention, Line, part_of
from .words import CREDIT_REASONS, code_of


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an original's line is given back."""

    line: InvoiceLine
    quantity: Decimal
    total: Decimal


# What is said of a sale that waiting does not help.
NEVER_SIGNED = {
    "refused": "KRA does not have it: correct or void it; there is nothing to credit.",
    "voided": "It was given up before KRA had it: there is nothing to credit.",
    "training": "It is not on KRA's books: there is nothing to credit.",
    "conflict": "A person must decide first; the sale says why and what to do.",
}


def create_credit_note(device: Device, data: CreditNoteInput, token: ApiToken) -> Accepted:
    """Credit a signed sale in whole or in part. Buyer and prices come from the original.

    Raises SaleInvalid, NotCreditable, NotFound, ReferenceReused.
    """
    check_device(device)
    digest = hashlib.sha256(fingerprint_of(data)).hexdigest()
    earlier = find_replay(device, data.reference, digest)
    if earlier is not None:
        return Accepted(earlier, is_replay=True)
    reason = code_of(data.reason, CREDIT_REASONS)
    if reason is None:
        problem = Problem("reason", "Unknown.", f"One of {', '.join(CREDIT_REASONS)}.")
        raise SaleInvalid("The credit note is not valid.", problems=[problem])
    original = _original(data.original, device, token)
    with transaction.atomic():
        original = _locked(original)
        # The twin of this request may have been stored while it waited for the lock.
        earlier = find_replay(device, data.reference, digest)
        if earlier is not None:
            return Accepted(earlier, is_replay=True)
        return _store(device, data, original, (reason, digest))


def _original(reference: str, device: Device, token: ApiToken) -> Invoice:
    sales = Invoice.objects.visible_to(token).filter(kind=Kind.SALE, branch_id=device.branch_id)
    original = sales.filter(reference=reference, is_current=True).first()
    if original is None:
        step = "Send the reference of a sale. A credit note is not credited: sell anew instead."
        problem = Problem("original", "It names no sale of this branch.", step)
        message = f"There is no sale {reference!r} in this branch."
        raise NotFound(message, problems=[problem], help="Correct 'original'.")
    if original.status != "signed":
        help = NEVER_SIGNED.get(original.status, "Wait until the sale is signed.")
        raise NotCreditable(f"The sale {reference!r} is {original.status}, not signed.", help=help)
    if original.device_id != device.pk:
        # Numbers are per device, and KRA looks the original up under the sender's (rule N1).
        raise NotCreditable(
            f"The sale was made on device {original.device.serial}.",
            help="Send the credit note from that device.",
        )
    return original


def _locked(original: Invoice) -> Invoice:
    """Its lock serialises the credits of one sale."""
    rows = Invoice.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("transmission", "company", "branch").get(pk=original.pk)


def _store(
    device: Device, data: CreditNoteInput, original: Invoice, known: tuple[str, str]
) -> Accepted:
    shares = _shares(original, data)
    convention = convention_of(device.company)
    lines = [_line(number, share, convention) for number, share in enumerate(shares, start=1)]
    note = _note(device, data, original, lines)
    note.credit_reason, note.content_hash = known
    # KRA checks the rates of the day the note is sent; the tax is the original's own.
    day = note.sold_at.astimezone(NAIROBI).date()
    return store_once(note, lines, rates_on(device.company.environment, day))


def _shares(original: Invoice, data: CreditNoteInput) -> list[Share]:
    lines = {line.sequence: line for line in original.lines.select_related("item")}
    credited = _credited(original)
    done = {n: credited.get(line.pk, (ZERO, ZERO)) for n, line in lines.items()}
    remaining = {n: line.quantity - done[n][0] for n, line in lines.items()}
    wanted = _wanted(data, remaining)
    return [_share(lines[n], quantity, done[n]) for n, quantity in wanted]


def _wanted(data: CreditNoteInput, remaining: dict[int, Decimal]) -> list[tuple[int, Decimal]]:
    if data.lines is None:
        whole = [(n, quantity) for n, quantity in sorted(remaining.items()) if quantity > 0]
        if not whole:
            raise NotCreditable(
                "Everything of this sale was credited already.", help="Nothing is left."
            )
        return whole
    problems = []
    if not data.lines:
        problems.append(Problem("lines", "It is empty.", "Leave it out to credit all."))
    seen: set[int] = set()
    for place, line in enumerate(data.lines):
        where = f"lines[{place}]"
        left = remaining.get(line.line)
        if left is None or line.line in seen:
            problems.append(
                Problem(f"{where}.line", "No such line, or named twice.", "See the sale.")
            )
        elif not _is_quantity(line.quantity) or line.quantity > left:
            step = "Lower it." if left else "All of this line was credited: leave it out."
            problems.append(
                Problem(f"{where}.quantity", f"At most {left} can still be credited.", step)
            )
        seen.add(line.line)
    if problems:
        raise SaleInvalid("The credit note is not valid.", problems=problems)
    return [(line.line, line.quantity) for line in data.lines]


def _is_quantity(value: Decimal) -> bool:
    return value.is_finite() and 0 < value < 10**10 and value == round_cents(value)


def _credited(original: Invoice) -> dict[int, tuple[Decimal, Decimal]]:
    """Quantity and total given back so far, per line; refused and void notes give nothing."""
    notes = Invoice.objects.filter(original=original, is_current=True, state=State.ACTIVE)
    alive = notes.exclude(transmission__status__in=NUMBER_FREE)
    rows = InvoiceLine.objects.filter(invoice__in=alive).values("original_line")
    sums = rows.annotate(quantity=Sum("quantity"), total=Sum("total")).order_by()
    return {row["original_line"] or 0: (row["quantity"], row["total"]) for row in sums}


def _share(line: InvoiceLine, quantity: Decimal, done: tuple[Decimal, Decimal]) -> Share:
    """The line's value in proportion. All shares together are rounded, so that no cent is left."""
    so_far, given = done
    together = round_cents(line.total * (so_far + quantity) / line.quantity)
    return Share(line, quantity, max(ZERO, together - given))


def _line(sequence: int, share: Share, convention: Convention) -> InvoiceLine:
    source = share.line
    part = Line(
        share.quantity,
        source.unit_price,
        source.letter,
        source.rate,
        discount_percent=source.discount_percent,
    )
    amounts = part_of(part, share.total, convention)
    return InvoiceLine(
        sequence=sequence,
        item=source.item,
        original_line=source,
        name=source.name,
        quantity=share.quantity,
        unit_price=amounts.unit_price,
        supply=amounts.supply,
        discount_percent=amounts.discount_percent,
        discount=amounts.discount,
        letter=source.letter,
        rate=source.rate,
        taxable=amounts.taxable,
        tax=amounts.tax,
        total=amounts.total,
    )


def _note(
    device: Device, data: CreditNoteInput, original: Invoice, lines: Sequence[InvoiceLine]
) -> Invoice:
    sums = {letter: [line for line in lines if line.letter == letter] for letter in LETTERS}
    return Invoice(
        company=original.company,
        branch=original.branch,
        device=device,
        kind=Kind.CREDIT_NOTE,
        reference=data.reference,
        original=original,
        returns_goods=data.returns_goods,
        sold_at=_moment(data, original),
        customer_pin=original.customer_pin,
        customer_name=original.customer_name,
        customer_phone=original.customer_phone,
        customer_email=original.customer_email,
        payment_method=original.payment_method,
        remark=data.remark,
        currency=original.currency,
        exchange_rate=original.exchange_rate,
        prices_include_tax=original.prices_include_tax,
        total=sum((line.total for line in lines), ZERO),
        taxable=sum((line.taxable for line in lines), ZERO),
        tax=sum((line.tax for line in lines), ZERO),
        discount=sum((line.discount for line in lines), ZERO),
        **{f"taxable_{k.lower()}": sum((x.taxable for x in v), ZERO) for k, v in sums.items()},
        **{f"tax_{k.lower()}": sum((x.tax for x in v), ZERO) for k, v in sums.items()},
    )


def _moment(data: CreditNoteInput, original: Invoice) -> datetime:
    now = max(timezone.now(), original.sold_at)
    skew = timedelta(seconds=settings.SALES_CLOCK_SKEW_SECONDS)
    moment = data.sold_at or now
    if not original.sold_at <= moment <= now + skew:
        problem = Problem("sold_at", "It lies before the sale, or in the future.", "Correct it.")
        raise SaleInvalid("The credit note is not valid.", problems=[problem])
    return moment
