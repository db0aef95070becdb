"""What KRA must be asked before a company's items and stock can be sent. Best effort: while KRA is
silent the catalogue is taken as it comes, and the next request asks again.
"""

import logging
import time
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from msgspec import Struct

from companies.models import Company
from core.errors import Upstream
from devices.calls import HostNotConfigured, exchange
from devices.models import Call, Device
from items.errors import NoDevice
from items.models import Item, ItemCounter
from items.models.lists import CLASSIFICATIONS
from kra.errors import KRAError
from kra.readers import read_items
from kra.requests import EVERYTHING, ListRequest
from outbox import breaker
from outbox.errors import LaneBusy
from outbox.models import Lane, Status, host_of
from outbox.services import free_conflicts, retry_now

from .lists import is_synced, sync_codes
from .registration import lane_of, lock_registration, owe_again

log = logging.getLogger(__name__)

# After a failure the next try is not at the expense of the very next request.
SILENCE_S = 60.0
_quiet_until: dict[str, float] = {}
_introduced: set[int] = set()


class Introduction(Struct):
    """known, pulled, skipped or failed; and why."""

    state: str
    detail: str = ""


def introduce(company: Company, device: Device | None) -> Introduction:
    """Pull the lists on first use, and learn which item numbers KRA has used already."""
    counter = ItemCounter.objects.filter(company=company).select_related("device").first()
    if counter is None or counter.device is None:
        with transaction.atomic():
            counter = lock_registration(company)
    speaker = device or counter.device
    if speaker is None:
        return Introduction("skipped", "The head office has no active device.")
    host = host_of(speaker)
    if breaker.is_open(host) or time.monotonic() < _quiet_until.get(host, 0.0):
        return Introduction("skipped", "KRA does not answer; asked again later.")
    try:
        return _ask(company, counter, speaker)
    except (KRAError, HostNotConfigured, LaneBusy) as error:
        _quiet_until[host] = time.monotonic() + SILENCE_S
        log.warning("not introduced to KRA", extra={"device": speaker.pk, "code": error.code})
        return Introduction("failed", f"{error.code}: {error.message}")


def pull_lists(company: Company, device: Device | None) -> Introduction:
    """Pull the lists because somebody asked for it by name. Raises Upstream, NoDevice."""
    introduce(company, device)
    speaker = device or _registering_device(company)
    try:
        changes = sync_codes(speaker)
    except (KRAError, HostNotConfigured) as error:
        raise Upstream(f"KRA's lists were not pulled. {error.code}: {error.message}") from error
    return Introduction("pulled", ", ".join(f"{name} {how}" for name, how in changes.items()))


def _registering_device(company: Company) -> Device:
    counters = ItemCounter.objects.select_related("device__branch", "device__company")
    device = counters.get(company=company).device
    if device is None:
        raise NoDevice("The head office has no active device to ask KRA with.")
    return device


def _ask(company: Company, counter: ItemCounter, speaker: Device) -> Introduction:
    state = "known"
    if not is_synced(company.environment) or not _has_asked(speaker):
        sync_codes(speaker)
        state = "pulled"
    if counter.device_id is not None and counter.counted_at is None:
        recount(company)
    return Introduction(state)


def forget() -> None:
    """Ask again at once."""
    _quiet_until.clear()
    _introduced.clear()


def strangers() -> QuerySet[Device]:
    """Active devices that never asked for the classifications: KRA refuses their stock."""
    active = Device.objects.filter(state=Device.State.ACTIVE)
    return active.exclude(Exists(_answered(OuterRef("pk"))))


def _has_asked(device: Device) -> bool:
    if device.pk not in _introduced and _answered(device.pk).exists():
        _introduced.add(device.pk)
    return device.pk in _introduced


def _answered(device: Any) -> QuerySet[Call]:
    good = [Call.Outcome.ACCEPTED, Call.Outcome.EMPTY]
    return Call.objects.filter(device=device, endpoint=CLASSIFICATIONS, outcome__in=good)


def recount(company: Company) -> int:
    """Ask KRA which item numbers are used, count on from there, and free a conflict.

    Another system may have registered items of this taxpayer, and on the direct host a number used
    twice would overwrite its item. Returns the last number. Raises KRAError, NoDevice, LaneBusy.
    """
    counter = ItemCounter.objects.get(company=company)
    lane = Lane.objects.get(pk=lane_of(counter))
    last = _last_number_at_kra(_registering_device(company))
    with transaction.atomic():
        free_conflicts(lane)
        still = ItemCounter.objects.filter(pk=counter.pk, last_number=counter.last_number)
        if not still.update(last_number=last, counted_at=timezone.now()):
            raise LaneBusy("Items were registered while KRA was counting.")
    return last


def retry_item(item: Item) -> None:
    """Send a refused item again; bring the next attempt of a waiting one forward.

    A conflict is about the running number, so KRA's own list decides it. Raises ItemNotRetryable,
    NoDevice and, for a conflict, Upstream and LaneBusy.
    """
    row = item.transmission
    if row is not None and row.status == Status.CONFLICT:
        try:
            recount(item.company)
        except (KRAError, HostNotConfigured) as error:
            raise Upstream(f"KRA was not asked. {error.code}: {error.message}") from error
    elif row is not None and not row.is_settled:
        retry_now(row)
    else:
        owe_again(item)


def _last_number_at_kra(device: Device) -> int:
    request = ListRequest(tin=device.company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING)
    reply = exchange(device, "item_list", request.encode(), reference="item numbers")
    # Two letters of country, one digit of type, four of units: the number is the rest (rule I1).
    numbers = [info.code[7:] for info in read_items(reply.data)]
    return max((int(text) for text in numbers if text.isascii() and text.isdigit()), default=0)
