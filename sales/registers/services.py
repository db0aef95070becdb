"""Keep a branch's customers, users and insurers, and owe KRA what changed.

Locks are taken in one order: branch, lanes, then the rows. Whoever changes a record holds its
branch and the lane of its debt. A claim holds that lane too, so a record is changed either before
its message is built or after, never in between.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from companies.models import Branch
from core.errors import Conflict, Invalid, Problem
from devices.models import Device
from outbox.models import OPEN, Lane, Status, Stream, Transmission
from outbox.services import enqueue, lane_id_of, owe
from outbox.services import retry_now as try_now
from sales.models.registers import BranchRecord, BranchUser

R = TypeVar("R", bound=BranchRecord)


class RecordNotRetryable(Conflict):
    code = "record_not_retryable"
    help = "KRA has it. A change is sent by itself, when you post it."


@dataclass(frozen=True, slots=True)
class Saved:
    """created, updated or unchanged."""

    record: Any
    verdict: str


@transaction.atomic
def save_record(model: type[R], device: Device, key: str, values: Mapping[str, Any]) -> Saved:
    """Create the record of the device's branch, or change what `values` names of it; owe KRA what
    is new. All or nothing; a repeat changes and owes nothing. Raises Invalid when a new record
    lacks a required value.
    """
    branch = Branch.objects.select_for_update(no_key=True).get(pk=device.branch_id)
    record: Any = _find(model, branch, key)
    if record is None:
        return Saved(_create(model, device, key, values), "created")
    changed = [name for name, value in values.items() if getattr(record, name) != value]
    if not changed:
        return Saved(record, "unchanged")
    _lock_lanes(record, device)
    for name in changed:
        setattr(record, name, values[name])
    _owe_change(record, device)
    record.updated_at = timezone.now()
    record.save(update_fields=[*changed, "transmission", "device", "updated_at"])
    return Saved(record, "updated")


def _find(model: type[R], branch: Branch, key: str) -> Any:
    rows: Any = model._default_manager
    return rows.filter(branch=branch, **{model.KEY: key}).select_related("company").first()


def _create(model: type[R], device: Device, key: str, values: Mapping[str, Any]) -> R:
    _check_complete(model, values)
    now = timezone.now()
    facts = dict(values)
    if issubclass(model, BranchUser):
        # KRA wants one and never asks for it again: by default it opens nothing.
        facts.setdefault("password", secrets.token_urlsafe(24))
    record: R = model(
        company=device.company,
        branch=device.branch,
        device=device,
        created_at=now,
        updated_at=now,
        **{model.KEY: key},
        **facts,
    )
    record.transmission = _debt(record, device)
    record.save(force_insert=True)
    return record


def _check_complete(model: type[BranchRecord], values: Mapping[str, Any]) -> None:
    missing = [name for name in REQUIRED[model.KIND] if name not in values]
    if missing:
        problems = [Problem(name, "A new record needs it.", f"Add {name!r}.") for name in missing]
        raise Invalid("The request is not valid.", problems=problems)


REQUIRED = {"customer": ("pin", "name"), "branch_user": ("name",), "insurance": ("name", "rate")}


def _lock_lanes(record: BranchRecord, device: Device) -> None:
    """Lock the lane of the debt and the one that may take the next; then read the debt again."""
    debt_lane = Transmission.objects.values_list("lane_id", flat=True).get(
        pk=record.transmission_id
    )
    wanted = {debt_lane, lane_id_of(device.pk, Stream.DATA)}
    list(Lane.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))
    record.transmission = Transmission.objects.get(pk=record.transmission_id)


def _owe_change(record: BranchRecord, device: Device) -> None:
    debt = record.transmission
    if debt.status not in OPEN:
        record.transmission, record.device = _debt(record, device), device
        return
    if _is_unsent(debt):
        _leave_idle_device(record, device)
    else:
        # It may arrive at any time, so what is newer must come behind it, in its lane.
        record.transmission = _debt(record, record.device)


def _leave_idle_device(record: BranchRecord, device: Device) -> bool:
    """Owe it by `device` instead, if its own is out of use and nothing has left us yet."""
    owner = Device.objects.get(pk=record.device_id)
    if owner.pk == device.pk or owner.state == Device.State.ACTIVE:
        return False
    Transmission.objects.filter(pk=record.transmission_id).update(
        status=Status.CANCELLED, finished_at=timezone.now()
    )
    record.transmission, record.device = _debt(record, device), device
    return True


def _is_unsent(debt: Transmission) -> bool:
    """Its message is not built yet: it will say what the record says by then."""
    return debt.status == Status.QUEUED and not debt.sha256


def _debt(record: BranchRecord, device: Device) -> Transmission:
    lane_id = lane_id_of(device.pk, Stream.DATA)
    return enqueue(owe(lane_id=lane_id, kind=record.KIND, reference=record.key))


@transaction.atomic
def retry_record(record: BranchRecord) -> None:
    """Send a refused record again; bring forward what waits. Raises RecordNotRetryable."""
    Branch.objects.select_for_update(no_key=True).get(pk=record.branch_id)
    fresh: Any = type(record)._default_manager.select_related("transmission").get(pk=record.pk)
    device = _usable_device(fresh)
    _lock_lanes(fresh, device)
    debt = fresh.transmission
    if debt.status == Status.ACCEPTED:
        raise RecordNotRetryable("It is registered; there is nothing to retry.")
    if debt.status not in OPEN:
        fresh.transmission, fresh.device = _debt(fresh, device), device
    elif not (_is_unsent(debt) and _leave_idle_device(fresh, device)):
        _hurry(fresh)
        return
    fresh.updated_at = timezone.now()
    fresh.save(update_fields=["transmission", "device", "updated_at"])


def _hurry(record: BranchRecord) -> None:
    """All that is owed for it: an earlier version may be what holds up the latest."""
    owed = Transmission.objects.open().filter(
        lane_id=record.transmission.lane_id, kind=record.KIND, reference=record.key
    )
    for debt in owed.exclude(status=Status.SENDING).order_by("pk"):
        try_now(debt)


def _usable_device(record: BranchRecord) -> Device:
    """The record's device, or another one of its branch while that is out of use."""
    mine = Device.objects.filter(branch_id=record.branch_id).select_related("branch", "company")
    own = mine.get(pk=record.device_id)
    if own.state == Device.State.ACTIVE:
        return own
    return mine.filter(state=Device.State.ACTIVE).order_by("pk").first() or own
