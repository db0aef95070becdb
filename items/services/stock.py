"""Goods that move: book them, tell KRA in order, and know what KRA holds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, NotRequired, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from companies.models import Branch
from core.errors import Problem
from core.money import ZERO
from devices.models import Device
from items.errors import MovementNotRetryable, StockTooLow
from items.models import (
    Item,
    MovementType,
    ProductType,
    StockLevel,
    StockMovement,
    StockMovementLine,
)
from items.models.levels import shift_levels
from outbox.models import Status, Stream, Transmission
from outbox.services import enqueue_many, lane_id_of, owe

State = StockMovement.State
MOVEMENT, LEVEL = "stock_movement", "stock_level"


class StockLine(NamedTuple):
    item_id: int
    quantity: Decimal
    unit_price: Decimal  # tax included


class Customer(NamedTuple):
    pin: str
    name: str


class About(TypedDict):
    occurred_at: datetime
    customer: NotRequired[Customer | None]
    remark: NotRequired[str]
    counterpart: NotRequired[Branch | None]
    departure: NotRequired[StockMovement | None]


class Shortage(NamedTuple):
    """Goods of which KRA holds less than is to leave."""

    item_id: int
    sku: str
    wanted: Decimal
    at_kra: Decimal


def book_stock(
    *,
    device: Device,
    type: str,
    lines: Sequence[StockLine],
    reference: str,
    **about: Unpack[About],
) -> StockMovement | None:
    """Store a movement in the caller's transaction and owe KRA it and each item's new level.

    Services and non-fiscal items are left out; None when nothing is left. Lines of one item become
    one. A repeat of (branch, type, reference) returns the first movement and books nothing. The
    movement waits while KRA does not know all its items, or has not accepted its departure.
    """
    with transaction.atomic():
        goods = _goods(device.company_id, lines)
        if not goods:
            return None
        movement, is_new = StockMovement.objects.get_or_create(
            branch_id=device.branch_id,
            type=MovementType(type).value,
            reference=reference[:60],
            defaults=_facts(device, about),
        )
        if is_new:
            _move(movement, goods)
    return movement


def _facts(device: Device, about: About) -> dict[str, Any]:
    customer = about.get("customer") or Customer("", "")
    return {
        "company_id": device.company_id,
        "device": device,
        "occurred_at": about["occurred_at"],
        "customer_pin": customer.pin[:11],
        "customer_name": customer.name[:100],
        "remark": about.get("remark", "")[:400],
        "counterpart": about.get("counterpart"),
        "departure": about.get("departure"),
    }


def _move(movement: StockMovement, goods: list[tuple[Item, StockLine]]) -> None:
    _add_lines(movement, goods)
    if not movement.departure_id and all(item.registered_at for item, _ in goods):
        send_movement(movement, [item.pk for item, _ in goods])
    # Last, because whoever moves the same goods waits for the end of this transaction.
    shift_levels(movement.pk, ours=1)


def _goods(company_id: int, lines: Sequence[StockLine]) -> list[tuple[Item, StockLine]]:
    """One line per item that KRA counts, in the order of first mention."""
    sums: dict[int, StockLine] = {}
    for line in lines:
        first = sums.get(line.item_id)
        total = line.quantity + (first.quantity if first else 0)
        sums[line.item_id] = StockLine(
            line.item_id, total, first.unit_price if first else line.unit_price
        )
    items = Item.objects.filter(company=company_id, pk__in=sums, is_fiscal=True)
    goods = items.exclude(product_type=ProductType.SERVICE)
    known = {item.pk: item for item in goods}
    late = [pk for pk, item in known.items() if item.registered_at is None]
    if late:
        # Shuts out the acceptance that would release this movement (release_waiting).
        locked = Item.objects.select_for_update(no_key=True).filter(pk__in=late).order_by("pk")
        known |= {item.pk: item for item in locked}
    return [(known[pk], line) for pk, line in sums.items() if pk in known and line.quantity > 0]


def _add_lines(movement: StockMovement, goods: list[tuple[Item, StockLine]]) -> None:
    StockMovementLine.objects.bulk_create(
        StockMovementLine(
            movement=movement,
            item=item,
            sequence=place,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for place, (item, line) in enumerate(goods, 1)
    )


def send_movement(movement: StockMovement, item_ids: Iterable[int]) -> None:
    """Owe KRA the movement, then the level of each item (rules S1, S4): one lane, in this order."""
    lane_id = lane_id_of(movement.device_id, Stream.STOCK)
    reference = movement.reference
    first = owe(lane_id=lane_id, kind=MOVEMENT, reference=reference)
    levels = [
        owe(lane_id=lane_id, kind=LEVEL, reference=reference, content=level_content(movement, pk))
        for pk in item_ids
    ]
    enqueue_many([first, *levels])
    movement.transmission, movement.state = first, State.QUEUED
    movement.save(update_fields=["transmission", "state"])


def level_content(movement: StockMovement, item_id: int) -> bytes:
    return f"{item_id} {movement.pk}".encode()


def movement_accepted(movement: StockMovement) -> None:
    """KRA has booked it: its level moves, and the goods of a transfer arrive."""
    if not _leave(movement, to=State.ACCEPTED):
        return
    arrival = StockMovement.objects.filter(departure=movement.pk, state=State.WAITING).first()
    if arrival is not None:
        send_movement(arrival, _item_ids(arrival))
    shift_levels(movement.pk, at_kra=1)


def movement_refused(movement: StockMovement) -> None:
    """KRA refused it: nothing moved, so what was to follow has nothing to say."""
    arrival = _lock_branches(movement)
    if not _leave(movement, to=State.REFUSED):
        return
    _cancel_levels(movement)
    shift_levels(movement.pk, ours=-1)
    if arrival is not None and _leave(arrival, to=State.REFUSED):
        shift_levels(arrival.pk, ours=-1)


def _lock_branches(departure: StockMovement) -> StockMovement | None:
    """The arrival of a transfer, with both branches locked; None for any other movement."""
    arrival = StockMovement.objects.filter(departure=departure.pk).first()
    if arrival is not None:
        lock_branches(departure.branch_id, arrival.branch_id)
    return arrival


def lock_branches(*ids: int) -> list[Branch]:
    """Whoever moves goods in two branches holds both rows, so that no two wait for each other."""
    rows = Branch.objects.select_for_update(no_key=True).filter(pk__in=ids)
    return list(rows.order_by("pk"))


def _leave(movement: StockMovement, *, to: str) -> bool:
    """False when it was there already: then the levels have moved."""
    undecided = StockMovement.objects.filter(
        pk=movement.pk, state__in=[State.QUEUED, State.WAITING]
    )
    return undecided.update(state=to) == 1


def _item_ids(movement: StockMovement) -> list[int]:
    return list(movement.lines.order_by("sequence").values_list("item", flat=True))


def _cancel_levels(movement: StockMovement) -> None:
    contents = [level_content(movement, pk) for pk in _item_ids(movement)]
    levels = Transmission.objects.filter(
        kind=LEVEL, lane=lane_id_of(movement.device_id, Stream.STOCK)
    )
    unsent = levels.filter(content__in=contents, status=Status.QUEUED, attempts=0)
    unsent.update(status=Status.CANCELLED, finished_at=timezone.now())


def release_waiting(item: Item) -> None:
    """KRA has decided about an item: send the movements that waited for this decision.

    A movement goes when no item of it is undecided; lines of items that KRA does not know stay
    behind in a movement of their own. Runs in the transaction that records KRA's verdict.
    """
    waiting = StockMovement.objects.waiting_for(item).select_for_update(no_key=True)
    for movement in waiting.order_by("pk"):
        lines = list(movement.lines.select_related("item__transmission").order_by("sequence"))
        if any(line.item.is_on_its_way for line in lines):
            continue
        unknown = [line for line in lines if line.item.registered_at is None]
        if len(unknown) == len(lines):
            continue
        if unknown:
            _leave_behind(movement, unknown)
        send_movement(movement, [line.item_id for line in lines if line not in unknown])


def _leave_behind(movement: StockMovement, lines: list[StockMovementLine]) -> None:
    rest = StockMovement.objects.create(
        company_id=movement.company_id,
        branch_id=movement.branch_id,
        device_id=movement.device_id,
        type=movement.type,
        reference=f"{movement.reference[:40]}#{lines[0].pk}",
        occurred_at=movement.occurred_at,
        customer_pin=movement.customer_pin,
        customer_name=movement.customer_name,
        remark=movement.remark,
    )
    StockMovementLine.objects.filter(pk__in=[line.pk for line in lines]).update(movement=rest)


@transaction.atomic
def retry_movement(movement: StockMovement) -> StockMovement:
    """Send a refused movement again, under a new number; the arrival of a transfer follows it.

    Raises MovementNotRetryable, StockTooLow.
    """
    arrival = _lock_branches(movement)
    if arrival is None:
        lock_branches(movement.branch_id)
    fresh = StockMovement.objects.select_for_update(no_key=True).get(pk=movement.pk)
    if fresh.state != State.REFUSED:
        raise MovementNotRetryable(f"The movement is {fresh.state}.")
    if fresh.transmission_id is None:
        raise MovementNotRetryable(
            "It is the arrival of a transfer whose departure was refused.",
            help="Send the departure again: it has the same reference, in the other branch.",
        )
    send_movement(fresh, _item_ids(fresh))
    shift_levels(fresh.pk, ours=1)
    refuse_negative(fresh)
    if arrival is not None and arrival.transmission_id is None:
        StockMovement.objects.filter(pk=arrival.pk).update(state=State.WAITING)
        shift_levels(arrival.pk, ours=1)
    return fresh


def refuse_negative(movement: StockMovement, fields: Mapping[int, str] | None = None) -> None:
    """Raise StockTooLow when the movement, just booked, took more than there was.

    `fields`: what the request calls the quantity of each item.
    Its own update holds the rows of the levels, so the answer stays true until the transaction
    ends. Sales are never stopped: their goods have left.
    """
    if settings.STOCK_ALLOW_NEGATIVE or movement.is_incoming or movement.type == MovementType.SALE:
        return
    levels = StockLevel.objects.filter(branch=movement.branch_id, level__lt=0)
    lacking = dict(levels.filter(item__in=_item_ids(movement)).values_list("item", "level"))
    problems = [
        Problem(
            (fields or {}).get(line.item_id, f"lines[{line.sequence - 1}].quantity"),
            f"{line.item.sku!r}: only {max(ZERO, lacking[line.item_id] + line.quantity)} is here.",
            "Lower it, or book in first what is really there.",
        )
        for line in movement.lines.select_related("item").order_by("sequence")
        if line.item_id in lacking
    ]
    if problems:
        raise StockTooLow("The stock would become negative; nothing was moved.", problems=problems)


def stock_shortages(branch_id: int, quantities: Mapping[int, Decimal]) -> list[Shortage]:
    """Goods among `quantities` (by item id) of which KRA holds too little in the branch (S2)."""
    goods = Item.objects.filter(pk__in=list(quantities), is_fiscal=True)
    items = list(goods.exclude(product_type=ProductType.SERVICE).order_by("pk"))
    held = StockLevel.objects.held_by_kra(branch_id=branch_id, item_ids=[i.pk for i in items])
    return [
        Shortage(item.pk, item.sku, quantities[item.pk], held.get(item.pk, ZERO))
        for item in items
        if quantities[item.pk] > held.get(item.pk, ZERO)
    ]
