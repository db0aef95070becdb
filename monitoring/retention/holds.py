"""Legal holds: from the moment one is placed, nothing of its company or device is let go."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from companies.models import Company
from core.errors import Conflict, Invalid, Problem
from core.events import announce
from devices.models import Device
from monitoring.models import LegalHold

# Any number that nobody else takes for an advisory lock of PostgreSQL.
LOCK = 4_711_020_251
SHORTEST_REASON = 3


class AlreadyReleased(Conflict):
    code = "hold_released"
    help = "Nothing is left to do. Place a new hold if the records are needed again."


def held(device_id: int) -> bool:
    """Whether a hold covers the device."""
    mine = Q(device=None) | Q(device=OuterRef("pk"))
    holds = LegalHold.objects.in_force().filter(mine, company=OuterRef("company"))
    return Device.objects.filter(Exists(holds), pk=device_id).exists()


@transaction.atomic
def place(company: Company, device: Device | None, *, reason: str, by: str) -> LegalHold:
    """Waits for what is being let go this moment; once this has returned, nothing goes.

    Raises Invalid.
    """
    reason = _reason(reason)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    hold = LegalHold.objects.create(company=company, device=device, reason=reason, placed_by=by)
    _tell("hold_placed", hold, reason, by)
    return hold


@transaction.atomic
def release(hold: LegalHold, *, reason: str, by: str) -> LegalHold:
    """Once. Raises Invalid, AlreadyReleased."""
    reason = _reason(reason)
    mine = LegalHold.objects.in_force().filter(pk=hold.pk)
    if not mine.update(released_at=timezone.now(), released_by=by, release_reason=reason):
        raise AlreadyReleased("The hold was released before.")
    _tell("hold_released", hold, reason, by)
    return LegalHold.objects.select_related("company", "device").get(pk=hold.pk)


def _reason(text: str) -> str:
    text = text.strip()
    if not SHORTEST_REASON <= len(text) <= 300:
        step = "Say in 3 to 300 characters who needs the records, and why."
        raise Invalid("The hold is not valid.", problems=[Problem("reason", "No reason.", step)])
    return text


def _tell(what: str, hold: LegalHold, reason: str, by: str) -> None:
    devices: Any = Device.objects.filter(company=hold.company_id)
    if hold.device_id is not None:
        devices = devices.filter(pk=hold.device_id)
    for pk in devices.order_by("pk").values_list("pk", flat=True):
        announce(what, pk, hold=hold.pk, reason=reason, by=by)
