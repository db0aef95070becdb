"""Stock booked by hand: opening stock, adjustments, purchases, waste."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from companies.models import Branch
from core.errors import Invalid, Problem
from devices.models import Device
from items.errors import MovementReferenceReused, NothingToMove, UnknownItems
from items.models import Item, MovementType, StockMovement, StockMovementLine

from .stock import Shortage, StockLine, book_stock, stock_shortages

TYPES = {
    "opening": MovementType.ADJUSTMENT_IN,
    "adjustment_in": MovementType.ADJUSTMENT_IN,
    "adjustment_out": MovementType.ADJUSTMENT_OUT,
    "purchase": MovementType.PURCHASE,
    "processing_in": MovementType.PROCESSING_IN,
    "processing_out": MovementType.PROCESSING_OUT,
    "waste": MovementType.WASTE,
}
NEEDS_REASON = ("adjustment_in", "adjustment_out", "waste")
REMARKS = {"opening": "Opening stock"}
CLOCK_SKEW = timedelta(minutes=5)
OLDEST = timedelta(days=3650)
LARGEST_VALUE = Decimal(10) ** 15
LARGEST = {"quantity": Decimal(10) ** 11, "unit_price": Decimal(10) ** 13}


class Ordered(NamedTuple):
    """One line as the caller sends it; no price means the item's own."""

    sku: str
    quantity: Decimal
    unit_price: Decimal | None


class Adjustment(NamedTuple):
    type: str
    reference: str
    lines: Sequence[Ordered]
    reason: str
    occurred_at: datetime


class Booked(NamedTuple):
    movement: StockMovement
    shortages: list[Shortage]
    is_new: bool


@transaction.atomic
def adjust_stock(device: Device, order: Adjustment) -> Booked:
    """Book goods in or out of the device's branch, once per reference.

    Shortages warn: KRA may refuse what it holds too little of. Raises Invalid, UnknownItems,
    NothingToMove, and MovementReferenceReused when the reference belongs to another movement.
    """
    _check(order)
    # One at a time per branch: two requests with one reference must see each other.
    Branch.objects.select_for_update(no_key=True).get(pk=device.branch_id)
    items = _items(device, order)
    _check_sums(order, items)
    earlier = _earlier(device, order)
    if earlier is not None:
        _compare(earlier, order, items)
        return Booked(earlier, [], is_new=False)
    lines = [_line(items[line.sku], line) for line in order.lines]
    shortages = [] if TYPES[order.type] < "10" else _shortages(device, lines)
    movement = book_stock(
        device=device,
        type=TYPES[order.type],
        lines=lines,
        reference=order.reference,
        occurred_at=order.occurred_at,
        remark=order.reason or REMARKS.get(order.type, ""),
    )
    if movement is None:
        raise NothingToMove("None of these items has a stock at KRA.")
    return Booked(movement, shortages, is_new=True)


def _check(order: Adjustment) -> None:
    problems = []
    if order.type not in TYPES:
        step = f"Use one of: {', '.join(TYPES)}."
        problems.append(Problem("type", f"There is no type {order.type!r}.", step))
    if order.type in NEEDS_REASON and not order.reason.strip():
        problems.append(Problem("reason", "An adjustment needs a reason.", "Say why."))
    if order.occurred_at > timezone.now() + CLOCK_SKEW:
        problems.append(Problem("occurred_at", "It lies in the future.", "Check the clock."))
    if order.occurred_at < timezone.now() - OLDEST:
        problems.append(Problem("occurred_at", "It is over ten years old.", "Check the year."))
    for place, line in enumerate(order.lines):
        problems += _amount_problems(f"lines[{place}]", line)
    if problems:
        raise Invalid("The movement is not valid; nothing was booked.", problems=problems)


def _amount_problems(path: str, line: Ordered) -> list[Problem]:
    problems = []
    for name, largest in LARGEST.items():
        amount: Decimal | None = getattr(line, name)
        if amount is None:
            continue
        is_amount = amount.is_finite() and 0 <= amount < largest
        if not is_amount or amount != round(amount, 2) or (name == "quantity" and amount == 0):
            step = "Send a positive number with at most two decimals."
            problems.append(Problem(f"{path}.{name}", "It is out of range.", step))
    return problems


def _items(device: Device, order: Adjustment) -> dict[str, Item]:
    skus = {line.sku for line in order.lines}
    items = {i.sku: i for i in Item.objects.filter(company=device.company_id, sku__in=skus)}
    problems = [
        Problem(f"lines[{place}].item", f"There is no item {line.sku!r}.", "Create it first.")
        for place, line in enumerate(order.lines)
        if line.sku not in items
    ]
    if problems:
        raise UnknownItems("Some items are not in the catalogue.", problems=problems)
    return items


def _check_sums(order: Adjustment, items: dict[str, Item]) -> None:
    """KRA's message holds one line per item, and one total: both must fit its fields."""
    lines = [_line(items[line.sku], line) for line in order.lines]
    quantities: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        quantities[line.item_id] += line.quantity
    value = sum((line.quantity * line.unit_price for line in lines), Decimal(0))
    too_many = max(quantities.values()) >= LARGEST["quantity"]
    if too_many or value >= LARGEST_VALUE:
        field, step = "quantity" if too_many else "unit_price", "Split the movement."
        problem = Problem(f"lines[0].{field}", "The sum is larger than KRA's field.", step)
        raise Invalid("The movement is not valid; nothing was booked.", problems=[problem])


def _line(item: Item, line: Ordered) -> StockLine:
    price = item.price if line.unit_price is None else line.unit_price
    return StockLine(item.pk, line.quantity, price)


def _shortages(device: Device, lines: list[StockLine]) -> list[Shortage]:
    wanted: dict[int, Decimal] = {}
    for line in lines:
        wanted[line.item_id] = wanted.get(line.item_id, Decimal(0)) + line.quantity
    return stock_shortages(device.branch_id, wanted)


def _earlier(device: Device, order: Adjustment) -> StockMovement | None:
    mine = StockMovement.objects.filter(branch=device.branch_id, type=TYPES[order.type])
    return mine.filter(reference=order.reference).first()


def _compare(earlier: StockMovement, order: Adjustment, items: dict[str, Item]) -> None:
    """The same goods in the same quantities, and the same price where one is given."""
    stored = {line.item_id: line for line in _lines_of(earlier)}
    wanted: dict[int, Decimal] = {}
    is_same = True
    for line in order.lines:
        item = items[line.sku]
        if item.is_service or not item.is_fiscal:
            continue
        known = stored.get(item.pk)
        is_first = item.pk not in wanted
        wanted[item.pk] = wanted.get(item.pk, Decimal(0)) + line.quantity
        if is_first and known is not None and line.unit_price is not None:
            is_same &= line.unit_price == known.unit_price
    if not is_same or wanted != {pk: line.quantity for pk, line in stored.items()}:
        raise MovementReferenceReused(f"{order.reference!r} was used for another movement.")


def _lines_of(movement: StockMovement) -> list[StockMovementLine]:
    """Its lines, and those that were left behind because KRA did not know their items."""
    family = Q(movement=movement) | Q(
        movement__branch=movement.branch_id,
        movement__type=movement.type,
        movement__reference__startswith=f"{movement.reference[:40]}#",
    )
    return list(StockMovementLine.objects.filter(family))
