"""Decide on an import line: which own item it is, and whether it is taken over.

Every decision is made under the lock of the line, so two at once owe KRA one message.
"""

import hashlib
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.errors import Invalid, Problem
from core.money import round_cents
from items.errors import ImportDecided, ImportUnmatched, ItemUnknownToKRA, NoDevice, UnknownItems
from items.models import ImportLine, ImportMatch, Item
from items.rates import rates_on
from outbox.models import Stream
from outbox.services import enqueue, lane_id_of, owe, retry_now

from .checking import today
from .imports import speakers_of

KIND = "import_update"
State = ImportLine.State
Decision = ImportLine.Decision
# Customs' units in the two letters that our items have.
SAME_UNITS = {"KGM": "KG", "U": "NO", "NMB": "NO"}
LARGEST_QUANTITY = Decimal(10) ** 11
LARGEST_PRICE = Decimal(10) ** 13
LARGEST_VALUE = Decimal(10) ** 15


class Approval(NamedTuple):
    """What the caller says; what is left out has a default."""

    sku: str = ""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    remark: str = ""


class Decided(NamedTuple):
    line: ImportLine
    is_new: bool


@transaction.atomic
def match_import(line: ImportLine, sku: str) -> ImportLine:
    """Say which own item the line is, and remember it for goods like these.

    Raises UnknownItems, ImportDecided.
    """
    fresh = _locked(line)
    item = _item(fresh, sku)
    if fresh.state in (State.QUEUED, State.APPROVED, State.REJECTED):
        raise ImportDecided(f"The line is {fresh.state}; its item is settled.")
    _set_item(fresh, item)
    return fresh


@transaction.atomic
def approve_import(line: ImportLine, order: Approval) -> Decided:
    """Owe KRA the approval; the stock comes in once KRA has accepted it.

    A repeat of the same approval changes nothing. Raises ImportUnmatched, UnknownItems,
    ItemUnknownToKRA, ImportDecided, Invalid, NoDevice.
    """
    fresh = _locked(line)
    item = _item(fresh, order.sku) if order.sku else fresh.item
    if _is_repeat(fresh, Decision.APPROVE, item, order):
        return Decided(fresh, is_new=False)
    _require_open(fresh)
    item = _require_usable(item)
    quantity, price = _stock(fresh, item, order)
    if fresh.item_id != item.pk or order.sku:
        _set_item(fresh, item)
    fresh.stock_quantity, fresh.stock_price = quantity, price
    fresh.remark = order.remark.strip() or f"Taken over as {item.sku}"
    _owe(fresh, Decision.APPROVE)
    return Decided(fresh, is_new=True)


@transaction.atomic
def reject_import(line: ImportLine, *, reason: str, sku: str = "") -> Decided:
    """Owe KRA the rejection. KRA wants an item code even here, so an item must be named.

    A repeat changes nothing. Raises ImportUnmatched, UnknownItems, ItemUnknownToKRA,
    ImportDecided, NoDevice.
    """
    fresh = _locked(line)
    item = _item(fresh, sku) if sku else fresh.item
    if _is_repeat(fresh, Decision.REJECT, item, Approval()):
        return Decided(fresh, is_new=False)
    _require_open(fresh)
    # What is named only to be refused is not remembered.
    fresh.item = _require_usable(item)
    fresh.stock_quantity = fresh.stock_price = None
    fresh.remark = reason.strip()
    _owe(fresh, Decision.REJECT)
    return Decided(fresh, is_new=True)


def retry_import(line: ImportLine) -> None:
    """Bring the next attempt of a queued decision forward. Raises ImportDecided, NotRetryable."""
    if line.state != State.QUEUED or line.transmission is None:
        raise ImportDecided(f"The line is {line.state}; nothing waits for KRA.")
    retry_now(line.transmission)


def digest_of(line: ImportLine) -> str:
    """One digest for what a person would call the same goods of the same supplier."""
    parts = (line.hs_code, line.supplier_name, line.name)
    words = (" ".join(part.casefold().split()) for part in parts)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def default_quantity(line: ImportLine, item: Item) -> Decimal | None:
    """KRA's quantity, where KRA counts in the item's own unit and to the hundredth."""
    unit = SAME_UNITS.get(line.quantity_unit.upper(), line.quantity_unit.upper())
    quantity = line.quantity
    if unit != item.quantity_unit or quantity is None or quantity != round(quantity, 2):
        return None
    return round(quantity, 2) if 0 < quantity < LARGEST_QUANTITY else None


def default_price(line: ImportLine, item: Item, quantity: Decimal) -> Decimal:
    """The declared value of one, with the item's tax on it; else the item's own price."""
    rate = Decimal(1) if line.currency in ("", "KES") else line.exchange_rate
    if not line.amount or not rate or line.amount < 0 or rate < 0:
        return item.price
    tax = rates_on(line.company.environment, today())[item.tax_letter]
    value = line.amount * rate / quantity * (100 + tax) / 100
    return round_cents(value) if value < LARGEST_PRICE else item.price


def _locked(line: ImportLine) -> ImportLine:
    lines = ImportLine.objects.select_for_update(no_key=True, of=("self",))
    related = ("company", "branch", "item__transmission", "transmission")
    return lines.select_related(*related).get(pk=line.pk)


def _item(line: ImportLine, sku: str) -> Item:
    item = Item.objects.filter(company=line.company_id, sku=sku).first()
    if item is None:
        problem = Problem("item", f"There is no item {sku!r}.", "Create it first.")
        raise UnknownItems("The item is not in the catalogue.", problems=[problem])
    return item


def _set_item(line: ImportLine, item: Item) -> None:
    now = timezone.now()
    line.item, line.updated_at = item, now
    line.save(update_fields=["item", "updated_at"])
    facts = {"hs_code": line.hs_code, "supplier_name": line.supplier_name, "name": line.name}
    match, is_new = ImportMatch.objects.get_or_create(
        company_id=line.company_id,
        digest=digest_of(line),
        defaults={"item": item, "updated_at": now, **facts},
    )
    if not is_new:
        times = F("times") + 1 if match.item_id == item.pk else 1
        mine = ImportMatch.objects.filter(pk=match.pk)
        mine.update(item=item, times=times, updated_at=now)


def _is_repeat(line: ImportLine, decision: str, item: Item | None, order: Approval) -> bool:
    if line.state in (State.OFFERED, State.REFUSED, State.ELSEWHERE) or line.decision != decision:
        return False
    same = item is not None and line.item_id == item.pk
    said = ((order.quantity, line.stock_quantity), (order.unit_price, line.stock_price))
    return same and all(given is None or given == stored for given, stored in said)


def _require_open(line: ImportLine) -> None:
    if line.state not in (State.OFFERED, State.REFUSED):
        raise ImportDecided(f"The line is {line.state.replace('_', ' ')}.")


def _require_usable(item: Item | None) -> Item:
    """KRA ties the line to an item code, so it must know the item."""
    if item is None:
        step = "Name one in `item`; the line's suggestions show what was chosen before."
        problem = Problem("item", "The line is not matched to an item of yours.", step)
        raise ImportUnmatched("Which item is it?", problems=[problem])
    reason = ""
    if not item.is_fiscal:
        reason = "KRA never hears of it, because it is not fiscal."
    elif item.registered_at is None:
        reason = f"KRA does not know it yet: it is {item.state}."
    elif not item.is_active:
        reason = "It is not active."
    if reason:
        problem = Problem("item", reason, f"See GET /api/items/{item.sku}/, or name another one.")
        raise ItemUnknownToKRA(f"{item.sku!r} cannot stand for an import.", problems=[problem])
    return item


def _stock(line: ImportLine, item: Item, order: Approval) -> tuple[Decimal, Decimal]:
    """Quantity and price to book, in the item's unit. Raises Invalid."""
    problems = []
    quantity = order.quantity
    if quantity is None:
        quantity = default_quantity(line, item)
    if quantity is None:
        listed = "no quantity" if line.quantity is None else f"{line.quantity.normalize():f}"
        reason = f"Customs lists {listed} {line.quantity_unit}; the item counts in "
        step = f"Say how many {item.quantity_unit} came in."
        problems.append(Problem("quantity", f"{reason}{item.quantity_unit}.", step))
    elif not _fits(quantity, LARGEST_QUANTITY) or quantity <= 0:
        step = "Send a positive number with at most two decimals."
        problems.append(Problem("quantity", "It is out of range.", step))
    if order.unit_price is not None and not _fits(order.unit_price, LARGEST_PRICE):
        step = "Send 0 or more with at most two decimals."
        problems.append(Problem("unit_price", "It is out of range.", step))
    if problems or quantity is None:
        raise Invalid("The approval is not valid; nothing was sent.", problems=problems)
    price = order.unit_price
    if price is None:
        price = default_price(line, item, quantity)
    if quantity * price >= LARGEST_VALUE:
        problem = Problem("unit_price", "The value is larger than KRA's field.", "Correct it.")
        raise Invalid("The approval is not valid; nothing was sent.", problems=[problem])
    return round(quantity, 2), round(price, 2)


def _fits(value: Decimal, largest: Decimal) -> bool:
    return value.is_finite() and 0 <= value < largest and value == round(value, 2)


def _owe(line: ImportLine, decision: str) -> None:
    """Owe KRA the decision through the line's own branch; runs under the line's lock."""
    speakers = [one for one in speakers_of(line.company) if one.branch_id == line.branch_id]
    if not speakers:
        raise NoDevice(f"Branch {line.branch.code} has no active device to tell KRA with.")
    lane_id = lane_id_of(speakers[0].pk, Stream.DATA)
    row = enqueue(owe(lane_id=lane_id, kind=KIND, reference=f"import {line.pk}"))
    line.decision, line.state, line.transmission = decision, State.QUEUED, row
    line.decided_at = line.updated_at = timezone.now()
    line.save(
        update_fields=[
            *("item", "decision", "state", "transmission", "decided_at", "updated_at"),
            *("remark", "stock_quantity", "stock_price"),
        ]
    )
