"""What a person asks to be moved, checked before anything is booked."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q
from django.utils import timezone

from core.errors import Invalid, Problem
from items.errors import MovementReferenceReused, UnknownItems
from items.models import Item, StockMovement, StockMovementLine

from .stock import StockLine

CLOCK_SKEW = timedelta(minutes=5)
OLDEST = timedelta(days=3650)
LARGEST_VALUE = Decimal(10) ** 15
LARGEST = {"quantity": Decimal(10) ** 11, "unit_price": Decimal(10) ** 13}


class Ordered(NamedTuple):
    """One line as the caller sends it; no price means the item's own."""

    sku: str
    quantity: Decimal
    unit_price: Decimal | None


def order_problems(lines: Iterable[Ordered], occurred_at: datetime) -> list[Problem]:
    problems = []
    if occurred_at > timezone.now() + CLOCK_SKEW:
        problems.append(Problem("occurred_at", "It lies in the future.", "Check the clock."))
    if occurred_at < timezone.now() - OLDEST:
        problems.append(Problem("occurred_at", "It is over ten years old.", "Check the year."))
    for place, line in enumerate(lines):
        problems += _amount_problems(f"lines[{place}]", line)
    return problems


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


def ordered_items(company_id: int, lines: Sequence[Ordered]) -> dict[str, Item]:
    """The items by SKU. Raises UnknownItems."""
    skus = {line.sku for line in lines}
    items = {item.sku: item for item in Item.objects.filter(company=company_id, sku__in=skus)}
    problems = [
        Problem(f"lines[{place}].item", f"There is no item {line.sku!r}.", "Create it first.")
        for place, line in enumerate(lines)
        if line.sku not in items
    ]
    if problems:
        raise UnknownItems("Some items are not in the catalogue.", problems=problems)
    return items


def stock_lines(lines: Sequence[Ordered], items: dict[str, Item]) -> list[StockLine]:
    """KRA's message holds one line per item, and one total: both must fit. Raises Invalid."""
    booked = [_line(items[line.sku], line) for line in lines]
    quantities: dict[int, Decimal] = defaultdict(Decimal)
    for line in booked:
        quantities[line.item_id] += line.quantity
    value = sum((line.quantity * line.unit_price for line in booked), Decimal(0))
    too_many = max(quantities.values()) >= LARGEST["quantity"]
    if too_many or value >= LARGEST_VALUE:
        field, step = "quantity" if too_many else "unit_price", "Split the movement."
        problem = Problem(f"lines[0].{field}", "The sum is larger than KRA's field.", step)
        raise Invalid("The movement is not valid; nothing was booked.", problems=[problem])
    return booked


def _line(item: Item, line: Ordered) -> StockLine:
    price = item.price if line.unit_price is None else line.unit_price
    return StockLine(item.pk, line.quantity, price)


def quantity_fields(lines: Sequence[Ordered], items: dict[str, Item]) -> dict[int, str]:
    """What the request calls the quantity of each item: its first line."""
    fields: dict[int, str] = {}
    for place, line in enumerate(lines):
        fields.setdefault(items[line.sku].pk, f"lines[{place}].quantity")
    return fields


def earlier_movement(branch_id: int, type: str, reference: str) -> StockMovement | None:
    mine = StockMovement.objects.filter(branch=branch_id, type=type, reference=reference)
    return mine.select_related("counterpart").first()


def require_same(earlier: StockMovement, lines: Sequence[Ordered], items: dict[str, Item]) -> None:
    """The same goods in the same quantities, and the same price where one is given. Raises
    MovementReferenceReused.
    """
    stored = {line.item_id: line for line in _lines_of(earlier)}
    wanted: dict[int, Decimal] = {}
    is_same = True
    for line in lines:
        item = items[line.sku]
        if item.is_service or not item.is_fiscal:
            continue
        known = stored.get(item.pk)
        is_first = item.pk not in wanted
        wanted[item.pk] = wanted.get(item.pk, Decimal(0)) + line.quantity
        if is_first and known is not None and line.unit_price is not None:
            is_same &= line.unit_price == known.unit_price
    if not is_same or wanted != {pk: line.quantity for pk, line in stored.items()}:
        raise MovementReferenceReused(f"{earlier.reference!r} was used for another movement.")


def _lines_of(movement: StockMovement) -> list[StockMovementLine]:
    """Its lines, and those that were left behind because KRA did not know their items."""
    family = Q(movement=movement) | Q(
        movement__branch=movement.branch_id,
        movement__type=movement.type,
        movement__reference__startswith=f"{movement.reference[:40]}#",
    )
    return list(StockMovementLine.objects.filter(family))
