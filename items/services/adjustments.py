"""Stock booked by hand: opening stock, adjustments, purchases, waste."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from core.errors import Invalid, Problem
from devices.models import Device
from items.errors import NothingToMove
from items.models import MovementType, StockMovement

from .orders import (
    Ordered,
    earlier_movement,
    order_problems,
    ordered_items,
    quantity_fields,
    require_same,
    stock_lines,
)
from .stock import (
    Shortage,
    StockLine,
    book_stock,
    lock_branches,
    refuse_negative,
    stock_shortages,
)

# Not here: 11 and 03 follow a signed sale and a credit note, 13 is one half of a transfer.
TYPES = {
    "opening": MovementType.ADJUSTMENT_IN,
    "import": MovementType.IMPORT,
    "purchase": MovementType.PURCHASE,
    "transfer_in": MovementType.TRANSFER_IN,
    "processing_in": MovementType.PROCESSING_IN,
    "adjustment_in": MovementType.ADJUSTMENT_IN,
    "return_to_supplier": MovementType.RETURN_OUT,
    "processing_out": MovementType.PROCESSING_OUT,
    "waste": MovementType.WASTE,
    "adjustment_out": MovementType.ADJUSTMENT_OUT,
}
ELSEWHERE = {
    "sale": "A sale moves its goods itself, once KRA has signed it: POST /api/sales/.",
    "return_from_customer": "POST /api/credit-notes/ with returns_goods brings goods back.",
    "transfer_out": "POST /api/stock/transfers/ moves goods to another branch.",
}
# `transfer_in` is for goods that a branch sent which this installation does not serve.
NEEDS_REASON = ("adjustment_in", "adjustment_out", "waste", "transfer_in")
REMARKS = {"opening": "Opening stock"}


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
    NothingToMove, StockTooLow, and MovementReferenceReused when the reference belongs to another
    movement.
    """
    _check(order)
    # One at a time per branch: two requests with one reference must see each other.
    lock_branches(device.branch_id)
    items = ordered_items(device.company_id, order.lines)
    lines = stock_lines(order.lines, items)
    earlier = earlier_movement(device.branch_id, TYPES[order.type], order.reference)
    if earlier is not None:
        require_same(earlier, order.lines, items)
        return Booked(earlier, [], is_new=False)
    shortages = [] if TYPES[order.type] < "10" else shortages_of(device, lines)
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
    refuse_negative(movement, quantity_fields(order.lines, items))
    return Booked(movement, shortages, is_new=True)


def _check(order: Adjustment) -> None:
    problems = []
    if order.type not in TYPES:
        step = ELSEWHERE.get(order.type, f"Use one of: {', '.join(TYPES)}.")
        problems.append(Problem("type", f"{order.type!r} is not booked by hand.", step))
    if order.type in NEEDS_REASON and not order.reason.strip():
        problems.append(Problem("reason", "This type needs a reason.", "Say why."))
    problems += order_problems(order.lines, order.occurred_at)
    if problems:
        raise Invalid("The movement is not valid; nothing was booked.", problems=problems)


def shortages_of(device: Device, lines: Sequence[StockLine]) -> list[Shortage]:
    wanted: dict[int, Decimal] = {}
    for line in lines:
        wanted[line.item_id] = wanted.get(line.item_id, Decimal(0)) + line.quantity
    return stock_shortages(device.branch_id, wanted)
