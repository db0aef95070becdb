"""Tell KRA what we did buy of an offered invoice: once, whatever happens in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.errors import Problem
from devices.models import Device
from items.errors import NoDevice
from items.models.catalogue import LETTERS
from items.rates import rates_on
from items.tax import Convention, Line, LineAmounts, totals
from outbox.models import Stream, Transmission
from outbox.services import enqueue, lane_id_of, owe
from purchases.amounts import recompute
from purchases.errors import AlreadyConfirmed, NotConfirmable, PurchaseInvalid
from purchases.messages import KIND, Confirmation, content_of
from purchases.models import Purchase, PurchaseLine, State
from purchases.models.invoices import ANSWERED

from .fetching import speaker_of
from .matching import OPEN, line_problems, lines_of, lock

CONFIRMED = (
    "confirmed_quantity",
    "confirmed_taxable",
    "confirmed_tax",
    "confirmed_total",
)


class Wanted(NamedTuple):
    """One line and how much of it was bought; no quantity means all of it."""

    line: int
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Part:
    """One line as it is confirmed. `path` is where the caller named it."""

    path: str
    line: PurchaseLine
    quantity: Decimal


def confirm(purchase_id: int, wanted: Sequence[Wanted]) -> Transmission:
    """Owe KRA the confirmation of the wanted lines, or of all lines when none is named.

    The new state, the amounts and the debt are stored together; of two at once, one is stored.
    Raises AlreadyConfirmed, NotConfirmable, PurchaseInvalid, NoDevice.
    """
    try:
        with transaction.atomic():
            return _confirm(lock(purchase_id), wanted)
    except IntegrityError as exc:
        if "purchase_confirmed_once" not in str(exc):
            raise
        raise AlreadyConfirmed("Another branch has just confirmed this invoice.") from exc


def _confirm(purchase: Purchase, wanted: Sequence[Wanted]) -> Transmission:
    _require_open(purchase)
    lines = lines_of(purchase)
    parts = _parts(lines, wanted)
    device = speaker_of(purchase.branch_id)
    if device is None:
        raise NoDevice("The invoice's branch has no active device.")
    rates = rates_on(device.company.environment, purchase.invoiced_on)
    computed = _compute(parts, rates, _convention(device))
    sums = totals([one for one, _ in computed], [amounts for _, amounts in computed])
    now = timezone.now()
    confirmation = Confirmation(
        device=device,
        lines=[(part.line, amounts) for part, (_, amounts) in zip(parts, computed, strict=True)],
        rates=rates,
        totals=sums,
        moment=now,
    )
    _note(lines, parts, computed)
    row = enqueue(
        owe(
            lane_id=lane_id_of(device.pk, Stream.PURCHASE),
            kind=KIND,
            reference=str(purchase)[:60],
            content=content_of(purchase, confirmation),
        )
    )
    purchase.transmission, purchase.state, purchase.state_reason = row, State.CONFIRMING, ""
    purchase.confirmed_tax, purchase.confirmed_total = sums.total_tax, sums.total
    purchase.updated_at = now
    purchase.save()
    return row


def _require_open(purchase: Purchase) -> None:
    if purchase.state in ANSWERED:
        raise AlreadyConfirmed(f"The invoice is {purchase.state}.")
    if purchase.state not in OPEN:
        help = "Open it again with POST /api/purchases/{id}/reopen/ first."
        raise NotConfirmable(f"The invoice is {purchase.state}.", help=help)
    if purchase.is_credit_note:
        help = "Leave it unconfirmed (POST …/reject/) and book the goods with POST /api/stock/."
        raise NotConfirmable("It is a supplier's credit note, which KRA's list offers without the "
                             "number of its original.", help=help)  # fmt: skip
    others = Purchase.objects.filter(
        company=purchase.company_id,
        supplier_pin=purchase.supplier_pin,
        supplier_branch=purchase.supplier_branch,
        number=purchase.number,
        state__in=ANSWERED,
    )
    other = others.select_related("branch").first()
    if other is not None:
        raise AlreadyConfirmed(f"Branch {other.branch.code} has it as {other.state}.")


def _parts(lines: list[PurchaseLine], wanted: Sequence[Wanted]) -> list[Part]:
    by_number = {line.sequence: line for line in lines}
    problems = line_problems([one.line for one in wanted], by_number)
    parts = []
    if wanted:
        for place, one in enumerate(wanted):
            if one.line in by_number:
                line = by_number[one.line]
                quantity = line.quantity if one.quantity is None else one.quantity
                parts.append(Part(f"lines[{place}]", line, quantity))
    else:
        parts = [Part(f"lines[{place}]", one, one.quantity) for place, one in enumerate(lines)]
    for part in parts:
        problems += [*_quantity_problems(part), *_item_problems(part)]
    if not lines:
        problems.append(Problem("lines", "The supplier's invoice has no lines.", "Reject it."))
    if problems:
        raise PurchaseInvalid("The confirmation is not valid; nothing was sent.", problems=problems)
    return sorted(parts, key=lambda part: part.line.sequence)


def _quantity_problems(part: Part) -> list[Problem]:
    path, offered = f"{part.path}.quantity", part.line.quantity
    named = f"Line {part.line.sequence} was offered with {offered.normalize():f}"
    if not part.quantity.is_finite() or part.quantity > offered:
        step = f"Send at most {offered.normalize():f}."
        if offered <= 0:
            step = "Leave this line out."
        return [Problem(path, f"{named}; more cannot be confirmed.", step)]
    if part.quantity <= 0:
        return [Problem(path, "The quantity must be above 0.", "Leave out what you did not buy.")]
    if part.quantity != round(part.quantity, 2):
        return [Problem(path, "KRA takes two decimals.", "Round the quantity.")]
    return []


def _item_problems(part: Part) -> list[Problem]:
    item, path = part.line.item, f"{part.path}.item"
    number = part.line.sequence
    problems = []
    if part.line.letter not in tuple(LETTERS):
        reason = f"Line {number} has the tax letter {part.line.letter!r}, which KRA does not know."
        problems.append(Problem(f"{part.path}.line", reason, "Leave this line out."))
    if item is None:
        step = "Match it with POST /api/purchases/{id}/match/, or leave the line out."
        problems.append(Problem(path, f"Line {number} has no item of yours.", step))
    elif item.registered_at is None or not item.is_fiscal:
        step = "Wait until its state is registered (GET /api/items/{sku}/), or match another item."
        problems.append(Problem(path, f"KRA does not know {item.sku!r} yet.", step))
    return problems


def _convention(device: Device) -> Convention:
    return Convention(settings.KRA_TAX_CONVENTIONS[device.company.profile])


def _compute(
    parts: list[Part], rates: dict[str, Decimal], convention: Convention
) -> list[tuple[Line, LineAmounts]]:
    computed, problems = [], []
    for part in parts:
        try:
            rate = rates[part.line.letter]
            computed.append(recompute(part.line, part.quantity, rate, convention))
        except ValueError as exc:
            step = "Leave this line out and settle it with the supplier."
            problems.append(Problem(f"{part.path}.line", f"Its amounts are wrong: {exc}.", step))
    if problems:
        raise PurchaseInvalid("The confirmation is not valid; nothing was sent.", problems=problems)
    return computed


def _note(
    lines: list[PurchaseLine], parts: list[Part], computed: Sequence[tuple[Line, LineAmounts]]
) -> None:
    """Keep on the lines what KRA is told; what an earlier try had said goes."""
    for line in lines:
        for name in CONFIRMED:
            setattr(line, name, None)
    for part, (_, amounts) in zip(parts, computed, strict=True):
        line = cast(Any, part.line)
        line.confirmed_quantity = part.quantity
        line.confirmed_taxable, line.confirmed_tax = amounts.taxable, amounts.tax
        line.confirmed_total = amounts.total
    PurchaseLine.objects.bulk_update(lines, CONFIRMED)
