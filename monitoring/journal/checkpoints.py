"""How far a chain had come, signed: kept here daily, printed on each Z, and best copied elsewhere.

Whoever can remove entries can remove checkpoints too, but not those on paper.
"""

import logging
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from devices.models import Device, SigningKey
from monitoring.models import JournalCheckpoint, JournalEntry, JournalHead

from .signing import Signed, Signer, checkpoint_of, seal

log = logging.getLogger(__name__)
NAIROBI = ZoneInfo("Africa/Nairobi")


def journal_checkpoint(device: Device) -> dict[str, Any] | None:
    """Where the device's journal stands, for a printed report. Writes nothing; None: no journal."""
    made = _make(device, timezone.now())
    if made is None:
        return None
    entry, key, signed, at = made
    return {
        "sequence": entry.sequence,
        "hash": entry.hash,
        "at": at.isoformat(timespec="seconds"),
        "key": key.fingerprint,
        "signature": signed.signature,
    }


def daily() -> int:
    """One checkpoint a day in Nairobi for each chain that has grown; missed days are made up for
    by the next. Safe to run at any time, any number of times.
    """
    now = timezone.now()
    today = now.astimezone(NAIROBI).date()
    due = JournalHead.objects.filter(
        ~Q(checkpoint_on=today) | Q(checkpoint_on=None), sequence__gt=0
    )
    grown = due.exclude(device__checkpoints__sequence=F("sequence"))
    return sum(_store(device_id, now) for device_id in grown.values_list("device_id", flat=True))


@transaction.atomic(durable=True)
def _store(device_id: int, now: datetime) -> bool:
    related = Device.objects.select_related("company", "branch")
    device = related.only("serial", "company__pin", "branch__code").get(pk=device_id)
    made = _make(device, now)
    if made is None:
        return False
    entry, key, signed, at = made
    row = JournalCheckpoint(
        device=device,
        sequence=entry.sequence,
        at=at,
        key=key,
        body=signed.body,
        signature=signed.signature,
    )
    JournalCheckpoint.objects.bulk_create([row], ignore_conflicts=True)
    today = now.astimezone(NAIROBI).date()
    JournalHead.objects.filter(device_id=device_id).update(checkpoint_on=today)
    return True


def _make(
    device: Device, now: datetime
) -> tuple[JournalEntry, SigningKey, Signed, datetime] | None:
    # Only an end that is where it was left: a checkpoint would vouch for a cut chain.
    head = {
        "device__journal_head__sequence": F("sequence"),
        "device__journal_head__hash": F("hash"),
    }
    last = JournalEntry.objects.filter(device=device, **head).order_by("-sequence")
    entry = last.first()
    if entry is None:
        return None
    # Whole seconds: what is printed is what was signed.
    at = now.replace(microsecond=0)
    body = checkpoint_of(device, entry.sequence, entry.hash, at)
    try:
        key = entry.key
        return entry, key, seal(body, Signer.of(key)), at
    except InvalidToken:
        # A Z is closed all the same, and other devices get their checkpoints.
        log.exception("no checkpoint: the signing key cannot be read", extra={"device": device.pk})
        return None
