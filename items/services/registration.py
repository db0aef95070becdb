"""Which device registers a company's items, and what is owed to KRA for them.

Whoever owes an item holds the lock of the registering lane. A claim holds it too, so an item is
changed either before its message is built or after, never in between.
"""

from django.db import transaction
from django.utils import timezone

from companies.models import Company
from devices.models import Device
from items.errors import ItemNotRetryable, NoDevice
from items.models import Item, ItemCounter
from outbox.models import Lane, Status, Stream, Transmission
from outbox.services import enqueue_many, lane_id_of, owe

KIND = "item"


def lock_registration(company: Company) -> ItemCounter:
    """The company's counter, with its lane locked until the transaction ends.

    Chooses the registering device when there is none yet. While the head office has no active
    device the counter itself is the lock, and `device` stays empty.
    """
    counter, _ = ItemCounter.objects.get_or_create(company=company)
    if counter.device_id is None:
        counter = ItemCounter.objects.select_for_update(no_key=True).get(pk=counter.pk)
        if counter.device_id is None:
            _choose_device(counter)
    if counter.device_id is not None:
        Lane.objects.select_for_update(no_key=True).get(pk=lane_of(counter))
    return counter


def _choose_device(counter: ItemCounter) -> None:
    # Rule A4: items are the head office's business.
    active = Device.objects.filter(company=counter.company_id, state=Device.State.ACTIVE)
    counter.device = active.filter(branch__is_head_office=True).order_by("pk").first()
    if counter.device is not None:
        counter.save(update_fields=["device"])


def lane_of(counter: ItemCounter) -> int:
    """Raises NoDevice."""
    if counter.device_id is None:
        raise NoDevice("The head office has no active device to register items with.")
    return lane_id_of(counter.device_id, Stream.DATA)


def is_unsent(row: Transmission | None) -> bool:
    """Its message is not built yet: it will say what the item says by then."""
    return row is not None and row.status == Status.QUEUED and not row.sha256


def owe_items(counter: ItemCounter, items: list[Item]) -> None:
    """Owe each item to KRA and point it at the debt; the caller saves the items."""
    lane_id = lane_of(counter)
    debts = [owe(lane_id=lane_id, kind=KIND, reference=item.sku) for item in items]
    for item, debt in zip(items, enqueue_many(debts), strict=True):
        item.transmission = debt


def cancel_unsent(items: list[Item]) -> list[Item]:
    """Take back what was never sent. The lane is locked, so no claim can cut in.

    Returns the items whose debt is gone; the caller saves them.
    """
    unsent = [item for item in items if is_unsent(item.transmission)]
    if unsent:
        rows = Transmission.objects.filter(pk__in=[item.transmission_id for item in unsent])
        rows.update(status=Status.CANCELLED, finished_at=timezone.now())
    for item in unsent:
        item.transmission = None
    return unsent


@transaction.atomic
def enqueue_drafts(company: Company) -> int:
    """Owe the items that were stored before the company had a device. Repeats change nothing."""
    counter = lock_registration(company)
    if counter.device_id is None:
        return 0
    items = list(Item.objects.filter(company=company).drafts().order_by("pk"))
    owe_items(counter, items)
    Item.objects.bulk_update(items, ["transmission"], batch_size=500)
    return len(items)


@transaction.atomic
def owe_again(item: Item) -> None:
    """Send a refused item again, under a new number. Raises ItemNotRetryable, NoDevice."""
    counter = lock_registration(item.company)
    fresh = Item.objects.select_related("transmission").get(pk=item.pk)
    if fresh.state != "refused" or not fresh.is_fiscal:
        raise ItemNotRetryable(
            f"The item is {fresh.state}; only a refused one can be sent again.",
            help="Change it with POST /api/item/sync/; a change is sent by itself.",
        )
    owe_items(counter, [fresh])
    fresh.updated_at = timezone.now()
    fresh.save(update_fields=["transmission", "updated_at"])
