"""Goods that go from one branch of a company to another: out of the one, into the other.

Both movements are booked in one transaction, each on the stock lane of its own branch. KRA is told
of the arrival once it has accepted the departure; when it refuses the departure, neither counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from companies.models import Branch
from core.errors import Invalid, Problem
from devices.models import Device
from items.errors import MovementReferenceReused, NoDevice, NotAtKRA, NothingToMove
from items.models import Item, MovementType, StockMovement

from .adjustments import shortages_of
from .orders import (
    Ordered,
    earlier_movement,
    order_problems,
    ordered_items,
    quantity_fields,
    require_same,
    stock_lines,
)
from .stock import Shortage, StockLine, book_stock, lock_branches, refuse_negative


class Transfer(NamedTuple):
    reference: str
    lines: Sequence[Ordered]
    reason: str
    occurred_at: datetime


class Transferred(NamedTuple):
    departure: StockMovement
    arrival: StockMovement
    shortages: list[Shortage]
    is_new: bool


@transaction.atomic
def transfer_stock(source: Branch, target: Branch, order: Transfer) -> Transferred:
    """Move goods between two branches of one company, once per reference of the source.

    Raises Invalid, UnknownItems, NoDevice, NotAtKRA, NothingToMove, StockTooLow, and
    MovementReferenceReused when the reference belongs to another movement.
    """
    problems = order_problems(order.lines, order.occurred_at)
    if source.pk == target.pk:
        step = "Name two branches."
        problems.append(Problem("to_branch", "It is the branch the goods come from.", step))
    if problems:
        raise Invalid("The transfer is not valid; nothing was moved.", problems=problems)
    lock_branches(source.pk, target.pk)
    items = ordered_items(source.company_id, order.lines)
    lines = stock_lines(order.lines, items)
    earlier = earlier_movement(source.pk, MovementType.TRANSFER_OUT, order.reference)
    if earlier is not None:
        return _replay(earlier, target, order, items)
    if earlier_movement(target.pk, MovementType.TRANSFER_IN, order.reference) is not None:
        raise MovementReferenceReused(
            f"{order.reference!r} names an earlier arrival in branch {target.code}."
        )
    _require_registered(order, items)
    departing, arriving = _device_of(source, "from_branch"), _device_of(target, "to_branch")
    shortages = shortages_of(departing, lines)
    departure = _book(departing, MovementType.TRANSFER_OUT, lines, order, counterpart=target)
    refuse_negative(departure, quantity_fields(order.lines, items))
    arrival = _book(
        arriving, MovementType.TRANSFER_IN, lines, order, counterpart=source, departure=departure
    )
    return Transferred(departure, arrival, shortages, is_new=True)


def _replay(
    earlier: StockMovement, target: Branch, order: Transfer, items: dict[str, Item]
) -> Transferred:
    require_same(earlier, order.lines, items)
    if earlier.counterpart_id != target.pk:
        raise MovementReferenceReused(f"{order.reference!r} went to another branch.")
    arrival = StockMovement.objects.get(departure=earlier)
    return Transferred(earlier, arrival, [], is_new=False)


def _require_registered(order: Transfer, items: dict[str, Item]) -> None:
    problems = [
        Problem(
            f"lines[{place}].item",
            f"KRA does not know {line.sku!r} yet.",
            f"GET /api/items/{line.sku}/ says why; move it once it is registered.",
        )
        for place, line in enumerate(order.lines)
        if (item := items[line.sku]).is_fiscal and not item.registered_at
    ]
    if problems:
        raise NotAtKRA("Some items are not registered with KRA; nothing moved.", problems=problems)


def _device_of(branch: Branch, field: str) -> Device:
    active = Device.objects.filter(branch=branch, state=Device.State.ACTIVE)
    device = active.select_related("company", "branch").order_by("pk").first()
    if device is None:
        step = "Initialise one with POST /api/device/init/."
        problem = Problem(field, f"Branch {branch.code} has no active device.", step)
        raise NoDevice("Both branches must have an active device.", problems=[problem])
    return device


def _book(
    device: Device,
    type: MovementType,
    lines: Sequence[StockLine],
    order: Transfer,
    **sides: Branch | StockMovement,
) -> StockMovement:
    movement = book_stock(
        device=device,
        type=type,
        lines=lines,
        reference=order.reference,
        occurred_at=order.occurred_at,
        remark=order.reason,
        **sides,  # type: ignore[arg-type]
    )
    if movement is None:
        raise NothingToMove("None of these items has a stock at KRA.")
    return movement
