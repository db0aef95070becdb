"""Our stock beside KRA's.

KRA publishes no levels: what it holds is the sum of what it has accepted. What it does list are
the goods that other branches sent to one. So a branch is compared in two ways: the transfers that
reached it, with KRA's list; and its own movements, by those that KRA has refused.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from core.errors import Upstream
from devices.calls import HostNotConfigured, exchange
from devices.models import Device
from items.models import Item, MovementType, StockMovement
from kra.errors import KRAError
from kra.readers import read_transfers
from kra.records import BranchTransfer
from kra.requests import EVERYTHING, ListRequest

Quantities = dict[str, Decimal]
State = StockMovement.State
NEXT_STEPS = {
    "not_booked_here": "Book the arrival: POST /api/stock/ with type transfer_in and a reason.",
    "not_at_kra": "Ask KRA: it accepted the departure, and does not list it.",
    "other_quantities": "Compare the departure (GET /api/logs/) with what KRA lists.",
    "refused": "GET /api/stock/movements/?state=refused says why; send it again once cured.",
}


class Difference(Struct):
    """One movement on which we and KRA disagree."""

    kind: Annotated[str, Meta(description=f"One of {', '.join(NEXT_STEPS)}.")]
    reference: Annotated[str, Meta(description="Ours; empty where only KRA knows the movement.")]
    number: Annotated[int | None, Meta(description="The movement's number at KRA.")]
    item: str
    ours: Decimal
    kras: Decimal
    next_step: str


def reconcile_stock(device: Device) -> list[Difference]:
    """Compare the device's branch with KRA; nothing is changed. Raises Upstream."""
    request = ListRequest(tin=device.company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING)
    try:
        reply = exchange(device, "stock_move_list", request.encode(), reference="reconciliation")
        listed = read_transfers(reply.data)
    except (KRAError, HostNotConfigured) as error:
        raise Upstream(f"KRA's list was not read. {error.code}: {error.message}") from error
    items = Item.objects.filter(company=device.company_id).exclude(code="")
    skus = dict(items.values_list("code", "sku"))
    return [*_of_transfers(device, listed, skus), *_of_refusals(device)]


def _of_transfers(
    device: Device, listed: Iterable[BranchTransfer], skus: dict[str, str]
) -> list[Difference]:
    """KRA names a transfer by the sender's number alone, which two senders may share."""
    sent, by_hand = _departures_to(device), _arrivals_by_hand(device)
    rest = [one for one in listed if not _take(sent, one.number, one.quantities)]
    differences = []
    for one in rest:
        twin = _take(sent, one.number)
        if twin is not None:
            kind, both = "other_quantities", (twin.quantities, one.quantities)
            differences += _lines(kind, twin.movement, one.number, both)
        elif one.quantities in by_hand:
            by_hand.remove(one.quantities)
        else:
            differences += _lines("not_booked_here", None, one.number, ({}, one.quantities))
    for left in sent:
        differences += _lines("not_at_kra", left.movement, left.number, (left.quantities, {}))
    for each in differences:
        each.item = skus.get(each.item, each.item)
    return differences


class _Sent(NamedTuple):
    movement: StockMovement
    number: int
    quantities: Quantities


def _take(sent: list[_Sent], number: int, quantities: Quantities | None = None) -> _Sent | None:
    for one in sent:
        if one.number == number and quantities in (None, one.quantities):
            sent.remove(one)
            return one
    return None


def _departures_to(device: Device) -> list[_Sent]:
    departures = StockMovement.objects.filter(
        counterpart=device.branch_id, type=MovementType.TRANSFER_OUT, state=State.ACCEPTED
    )
    return [
        _Sent(one, one.transmission.number or 0, _quantities(one))
        for one in _whole(departures)
        if one.transmission is not None
    ]


def _arrivals_by_hand(device: Device) -> list[Quantities]:
    arrivals = StockMovement.objects.filter(
        branch=device.branch_id, type=MovementType.TRANSFER_IN, departure=None
    )
    return [_quantities(one) for one in _whole(arrivals.exclude(state=State.REFUSED))]


def _of_refusals(device: Device) -> list[Difference]:
    refused = StockMovement.objects.filter(branch=device.branch_id, state=State.REFUSED)
    return [
        Difference(
            "refused", movement.reference, None, line.item.sku,
            line.quantity, Decimal(0), NEXT_STEPS["refused"],
        )
        for movement in _whole(refused)
        for line in movement.lines.all()
    ]  # fmt: skip


def _whole(movements: Any) -> Any:
    light = movements.select_related("transmission").defer(
        "transmission__body", "transmission__content"
    )
    return light.prefetch_related("lines__item").order_by("pk")


def _quantities(movement: StockMovement) -> Quantities:
    return {line.item.code: line.quantity for line in movement.lines.all()}


def _lines(
    kind: str, movement: StockMovement | None, number: int, both: tuple[Quantities, Quantities]
) -> list[Difference]:
    ours, kras = both
    reference = movement.reference if movement else ""
    nothing = Decimal(0)
    return [
        Difference(
            kind, reference, number, code,
            ours.get(code, nothing), kras.get(code, nothing), NEXT_STEPS[kind],
        )
        for code in sorted(ours.keys() | kras.keys())
        if ours.get(code, nothing) != kras.get(code, nothing)
    ]  # fmt: skip
