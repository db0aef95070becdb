"""A device's journal as JSON Lines: all that verify_export.py needs, line by line.

The rows are read in pages by their sequence, so that neither memory nor a cursor is held for long
and PgBouncer may stand in between.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min
from django.utils import timezone

from devices.models import Device
from monitoring.models import JournalCheckpoint, JournalEntry

from .facts import plain
from .signing import NOTHING, VERSION, device_facts

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """The entries of a device from `first` to `last`; last < first: none."""

    device: Device
    first: int
    last: int


def range_of(device: Device, start: datetime | None, end: datetime | None) -> Range:
    """Entries that were recorded from `start` on and before `end`. They never go back in time."""
    entries = JournalEntry.objects.filter(device=device)
    bounds = entries.aggregate(first=Min("sequence"), last=Max("sequence"))
    first, last = bounds["first"] or 1, bounds["last"] or 0
    if start is not None:
        first = _first_since(device, start, first, last)
    if end is not None:
        last = _first_since(device, end, first, last) - 1
    return Range(device, first, last)


def _first_since(device: Device, moment: datetime, low: int, high: int) -> int:
    """By halves: a handful of look-ups by the index that is there, however long the chain."""
    while low <= high:
        middle = (low + high) // 2
        entry = JournalEntry.objects.filter(device=device, sequence__gte=middle)
        found = entry.order_by("sequence").values_list("recorded_at", flat=True).first()
        if found is None or found >= moment:
            high = middle - 1
        else:
            low = middle + 1
    return low


def lines(wanted: Range) -> Iterator[str]:
    """One line each; the last one says that nothing follows."""
    checkpoints = JournalCheckpoint.objects.filter(
        device=wanted.device, sequence__gte=wanted.first, sequence__lte=wanted.last
    ).order_by("sequence")
    yield _line({"body": _header(wanted, list(checkpoints.values_list("sequence", flat=True)))})
    last, hash = wanted.first - 1, NOTHING
    for entry in entries(wanted):
        last, hash = entry.sequence, entry.hash
        yield _raw(entry.body, f'"hash":"{entry.hash}","signature":"{entry.signature}"')
    for row in checkpoints.iterator():
        yield _raw(row.body, f'"signature":"{row.signature}"')
    yield _line({"body": {"type": "end", "last_sequence": last, "last_hash": hash}})


def entries(wanted: Range) -> Iterator[JournalEntry]:
    position = wanted.first - 1
    while position < wanted.last:
        rows = JournalEntry.objects.filter(
            device=wanted.device, sequence__gt=position, sequence__lte=wanted.last
        )
        page = list(rows.order_by("sequence")[:PAGE])
        if not page:
            return
        yield from page
        position = page[-1].sequence


def _header(wanted: Range, checkpoints: list[int]) -> dict[str, Any]:
    before = (
        JournalEntry.objects.filter(device=wanted.device, sequence__lt=wanted.first)
        .order_by("-sequence")
        .first()
    )
    following = JournalEntry.objects.filter(device=wanted.device, sequence=wanted.first)
    # By name alone: whoever lost a private part can still show the evidence.
    key = following.values_list("key__fingerprint", flat=True).first()
    keys = wanted.device.signing_keys.order_by("version")
    return {
        "type": "header",
        "v": VERSION,
        "device": device_facts(wanted.device),
        "exported_at": plain(timezone.now()),
        "first_sequence": wanted.first,
        "last_sequence": wanted.last,
        "previous": before.hash if before else NOTHING,
        "key": key or "",
        "keys": [
            {"version": k.version, "fingerprint": k.fingerprint, "public_key": k.public_key}
            for k in keys.only("version", "fingerprint", "public_key", "device_id")
        ],
        "checkpoints": checkpoints,
    }


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n"


def _raw(body: str, rest: str) -> str:
    """The signed text goes out as it is, not decoded and written anew."""
    return f'{{"body":{body},{rest}}}\n'
