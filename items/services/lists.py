"""Copy KRA's lists: codes, with class 04 the tax rates, classifications, and notices.

Each list has a state of its own. While KRA is silent the last copy stays in use; a run that broke
off goes on with the list it broke off at, because the ones before it are not due.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from devices.calls import exchange, storable
from devices.models import Device
from items import rates
from items.errors import RateNotHeld
from items.models import Classification, Code, Notice, SyncState, TaxRate
from items.models.catalogue import LETTERS
from items.models.lists import CLASSIFICATIONS, CODES, LIST_NAMES, NOTICES, TAX_CLASS
from kra.answers import Reply
from kra.readers import read_classifications, read_code_classes, read_notices
from kra.requests import EVERYTHING, ListRequest
from kra.times import NAIROBI, format_instant

log = logging.getLogger(__name__)

# A first rate is taken to have held always; sales may be older than this installation.
ALWAYS = date(2018, 1, 1)
BATCH = 1000
LARGEST_NUMBER = 2**63 - 1


def sync_codes(device: Device) -> dict[str, str]:
    """Pull both lists for the device's environment. An unchanged answer changes no list.

    Returns "changed" or "unchanged" by list. Raises KRAError; what was pulled before it stays.
    """
    return {LIST_NAMES[name]: pull_list(device, name) for name in (CODES, CLASSIFICATIONS)}


def sync_due(device: Device) -> dict[str, str]:
    """Pull the lists of the device's environment that are older than LISTS_MAX_AGE_HOURS.

    Returns and raises what `sync_codes` does.
    """
    fresh = timezone.now() - timedelta(hours=settings.LISTS_MAX_AGE_HOURS)
    states = SyncState.objects.filter(environment=device.company.environment)
    known = set(states.filter(synced_at__gt=fresh).values_list("name", flat=True))
    return {word: pull_list(device, name) for name, word in LIST_NAMES.items() if name not in known}


def is_synced(environment: str) -> bool:
    pulled = SyncState.objects.filter(environment=environment)
    return pulled.filter(name__in=[CODES, CLASSIFICATIONS]).count() == 2


def pull_list(device: Device, name: str, *, everything: bool = False) -> str:
    """Ask for what one list has changed since its last answer, or for all of it, and store it.

    Returns "changed" or "unchanged". Raises KRAError, HostNotConfigured.
    """
    environment = device.company.environment
    state = SyncState.objects.filter(environment=environment, name=name).first()
    since = state.last_result_at if state and not everything else None
    request = ListRequest(
        tin=device.company.pin,
        bhfId=device.branch.code,
        lastReqDt=format_instant(since) if since else EVERYTHING,
    )
    reply = exchange(device, name, request.encode(), reference=LIST_NAMES[name])
    digest = "" if reply.is_empty else _digest(reply.data)
    is_new = bool(digest) and (state is None or digest != state.sha256)
    now = timezone.now()
    with transaction.atomic():
        if is_new:
            STORES[name](environment, reply)
        SyncState.objects.update_or_create(
            environment=environment,
            name=name,
            defaults={
                "last_result_at": reply.result_at or (state.last_result_at if state else None),
                "sha256": digest or (state.sha256 if state else ""),
                "synced_at": now,
                **({"changed_at": now} if is_new else {}),
            },
        )
    return "changed" if is_new else "unchanged"


def _digest(data: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(data, order="deterministic")).hexdigest()


def _store_codes(environment: str, reply: Reply) -> None:
    now = timezone.now()
    classes = read_code_classes(reply.data)
    fresh = [
        Code(
            environment=environment,
            class_id=group.code[:5],
            class_name=group.name[:60],
            code=detail.code[:20],
            name=detail.name[:200],
            description=detail.description[:500],
            sort=detail.sort_order,
            extra1=detail.values[0][:60],
            extra2=detail.values[1][:60],
            extra3=detail.values[2][:60],
            is_active=group.is_used and detail.is_used,
            changed_at=now,
        )
        for group in classes
        for detail in group.details
    ]
    _upsert(fresh, key=("class_id", "code"), ignore=("changed_at",))
    for group in classes:
        if group.code == TAX_CLASS:
            _store_rates(environment, {one.code: one.values[0] for one in group.details}, reply)


def _store_classifications(environment: str, reply: Reply) -> None:
    fresh = [
        Classification(
            environment=environment,
            code=one.code[:10],
            name=one.name[:300],
            level=one.level,
            tax_letter=one.tax_letter[:5],
            is_active=one.is_used,
        )
        for one in read_classifications(reply.data)
    ]
    _upsert(fresh, key=("code",))


def _store_notices(environment: str, reply: Reply) -> None:
    now = timezone.now()
    fresh = [
        Notice(
            environment=environment,
            number=one.number,
            title=storable(one.title, 1000),
            text=storable(one.text, 20_000),
            # An address of another kind could run as a script where it is clicked.
            url=storable(one.url, 500) if one.url.startswith(("https://", "http://")) else "",
            author=storable(one.author, 60),
            published_at=one.registered_at,
            changed_at=now,
        )
        for one in read_notices(reply.data)
        if 0 < one.number <= LARGEST_NUMBER
    ]
    _upsert(fresh, key=("number",), ignore=("changed_at",))


STORES: dict[str, Callable[[str, Reply], None]] = {
    CODES: _store_codes,
    CLASSIFICATIONS: _store_classifications,
    NOTICES: _store_notices,
}


def _upsert(fresh: Iterable[Any], *, key: tuple[str, ...], ignore: tuple[str, ...] = ()) -> None:
    """Write the rows that are new or differ. KRA may list one code twice: the last one counts."""
    rows = {tuple(getattr(row, name) for name in key): row for row in fresh}
    if not rows:
        return
    sample = next(iter(rows.values()))
    model: type[models.Model] = type(sample)
    facts = [
        f.name for f in model._meta.concrete_fields if f.name not in ("id", "environment", *key)
    ]
    compared = [name for name in facts if name not in ignore]
    stored = model._default_manager.filter(environment=sample.environment)
    known = {row[: len(key)]: row[len(key) :] for row in stored.values_list(*key, *compared)}
    changed = [
        row
        for place, row in sorted(rows.items())
        if known.get(place) != tuple(getattr(row, name) for name in compared)
    ]
    model._default_manager.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["environment", *key],
        update_fields=facts,
    )


def _store_rates(environment: str, published: dict[str, str], reply: Reply) -> None:
    """The first rate of a letter counts at once; a later change waits for a person."""
    day = (reply.result_at or timezone.now()).astimezone(NAIROBI).date()
    for letter, text in published.items():
        rate = _percent(text)
        if letter not in tuple(LETTERS) or rate is None:
            continue
        mine = TaxRate.objects.filter(environment=environment, letter=letter)
        current = mine.usable().order_by("-valid_from").first()
        if current is None:
            mine.create(environment=environment, letter=letter, rate=rate, valid_from=ALWAYS,
                        approved=True)  # fmt: skip
        elif current.rate == rate:
            mine.held().delete()  # KRA took the change back before anybody approved it
        elif not mine.held().filter(rate=rate).exists():
            mine.held().delete()
            mine.create(environment=environment, letter=letter, rate=rate, valid_from=day)
            log.error("tax rate changed: approve it", extra={"environment": environment})
    rates.forget()


def _percent(text: str) -> Decimal | None:
    try:
        rate = round(Decimal(text), 2)
    except InvalidOperation:
        return None
    return rate if rate.is_finite() and 0 <= rate < 100 else None


@transaction.atomic
def approve_rate(*, environment: str, letter: str, valid_from: date | None = None) -> TaxRate:
    """Use a held rate from its day, or from `valid_from`, on. Raises RateNotHeld."""
    mine = TaxRate.objects.select_for_update().filter(environment=environment, letter=letter)
    held = mine.held().order_by("-valid_from").first()
    if held is None:
        raise RateNotHeld(f"No change of {letter} waits in {environment}.")
    held.valid_from = valid_from or held.valid_from
    # The same day cannot have two rates: the later word counts.
    mine.usable().filter(valid_from=held.valid_from).delete()
    held.approved = True
    held.save(update_fields=["valid_from", "approved"])
    transaction.on_commit(rates.forget)
    return held
