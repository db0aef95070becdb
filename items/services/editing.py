"""Change one item, and what it is composed of."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from core.errors import Invalid, Problem
from items.errors import CompositionImpossible, UnknownItems
from items.models import Item, ItemComponent
from items.rows import ItemRow
from outbox.models import OPEN, Status
from outbox.services import enqueue, owe

from .catalogue import take_over
from .registration import lane_of, lock_registration

COMPOSITION = "item_composition"
LARGEST_QUANTITY = Decimal(10) ** 11


@transaction.atomic
def edit_item(item: Item, changes: dict[str, Any]) -> None:
    """Change the named fields and owe KRA the item as it is then; the rest keeps its value.

    An inactive item is at KRA marked as no longer used. Raises Invalid, changing nothing.
    """
    # The lock is what keeps a change made at the same time by somebody else.
    lock_registration(item.company)
    fresh = Item.objects.get(pk=item.pk)
    # The class and the tax it has are not judged again: an item whose class KRA has dropped must
    # still be deactivated.
    values: dict[str, Any] = {"name": fresh.name, "price": fresh.price} | changes
    (verdict,) = take_over(item.company, None, [ItemRow(sku=fresh.sku, **values)])
    if verdict.problems:
        raise Invalid("The item is not valid; nothing was changed.", problems=verdict.problems)


class Composed(NamedTuple):
    part: ItemComponent
    is_new: bool


@transaction.atomic
def compose(parent: Item, sku: str, quantity: Decimal) -> Composed:
    """Say that so many of an item are in one `parent`, and owe KRA that.

    The same again changes nothing, unless KRA has refused it. Raises Invalid, UnknownItems,
    CompositionImpossible, NoDevice.
    """
    _check_quantity(quantity)
    # One at a time per company: two changes at once could close a circle between them.
    counter = lock_registration(parent.company)
    component = _component(parent, sku)
    _check_pair(parent, component)
    parts = ItemComponent.objects.select_related("transmission", "component")
    part = parts.filter(parent=parent, component=component).first()
    if part is not None and part.quantity == quantity and part.state != "refused":
        return Composed(part, is_new=False)
    part = part or ItemComponent(company=parent.company, parent=parent, component=component)
    if part.pk and part.state == "queued":
        _take_back(part)
    content = f"{parent.pk} {component.pk} {quantity}".encode()
    row = owe(lane_id=lane_of(counter), kind=COMPOSITION, reference=parent.sku, content=content)
    part.transmission, part.quantity, part.updated_at = enqueue(row), quantity, timezone.now()
    part.save()
    return Composed(part, is_new=True)


def _take_back(part: ItemComponent) -> None:
    """What was never sent need not be: the new quantity takes its place. The lane is locked."""
    row = part.transmission
    if row.status == Status.QUEUED and row.attempts == 0:
        mine = type(row).objects.filter(pk=row.pk, status__in=OPEN, attempts=0)
        mine.update(status=Status.CANCELLED, finished_at=timezone.now())


def _check_quantity(quantity: Decimal) -> None:
    is_amount = quantity.is_finite() and 0 < quantity < LARGEST_QUANTITY
    if not is_amount or quantity != round(quantity, 2):
        step = "Send a positive number with at most two decimals."
        problem = Problem("quantity", "It is out of range.", step)
        raise Invalid("The composition is not valid; nothing was sent.", problems=[problem])


def _component(parent: Item, sku: str) -> Item:
    item = Item.objects.filter(company=parent.company_id, sku=sku).first()
    if item is None:
        problem = Problem("component", f"There is no item {sku!r}.", "Create it first.")
        raise UnknownItems("The component is not in the catalogue.", problems=[problem])
    return item


def _check_pair(parent: Item, component: Item) -> None:
    field, reason = "component", ""
    for name, item in (("sku", parent), ("component", component)):
        if item.registered_at is None or not item.is_fiscal:
            field, reason = name, f"{item.sku!r} is not registered at KRA."
        elif item.is_service:
            field, reason = name, f"{item.sku!r} is a service; KRA composes goods of goods."
    if component.pk == parent.pk:
        reason = "An item cannot be part of itself."
    elif not reason and _contains(component, parent):
        reason = f"{parent.sku!r} is itself part of {component.sku!r}."
    if reason:
        step = "GET /api/items/{sku}/ and …/composition/ show how things are."
        problem = Problem(field, reason, step)
        raise CompositionImpossible("KRA cannot be told this.", problems=[problem])


def _contains(whole: Item, wanted: Item) -> bool:
    """Whether `wanted` is anywhere inside of `whole`."""
    seen, layer = {whole.pk}, {whole.pk}
    while layer:
        rows = ItemComponent.objects.filter(parent__in=layer)
        layer = set(rows.values_list("component", flat=True)) - seen
        seen |= layer
    return wanted.pk in seen
