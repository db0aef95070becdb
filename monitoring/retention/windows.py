"""Which rows of a device are old enough, a window at a time, and which of those may go.

Old is not enough. Nothing goes before it stands in the journal, nor while its message is unsettled.
And a body must still have the hash that the journal has of it: emptying one that somebody changed
would wipe out the proof.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from devices.models import Call
from outbox.models import OPEN, Status

from .ages import ASKED, Kind

WINDOW = 1000
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# Ids rise with time, near enough: all from this one on are young.
FIRST_YOUNG = """
    SELECT min(id) FROM (
        SELECT id FROM devices_call WHERE started_at >= %s ORDER BY started_at LIMIT 1000) young
"""
CALLS = """
    SELECT call.id,
        call.pruned_at IS NULL AND call.started_at < %(cut)s
            AND (call.endpoint = ANY(%(asked)s)) = %(is_asked)s AS is_due,
        EXISTS (
            SELECT 1 FROM monitoring_journalentry entry
            WHERE entry.device_id = call.device_id AND entry.kind IN ('call', 'call_open')
                AND entry.source = call.id
                AND entry.body::jsonb -> 'facts' ->> 'request_sha256'
                    = encode(sha256(convert_to(call.request, 'UTF8')), 'hex')
                AND coalesce(entry.body::jsonb -> 'facts' ->> 'answer_sha256', %(empty)s)
                    = encode(sha256(convert_to(call.answer, 'UTF8')), 'hex')
        ) AND NOT EXISTS (
            SELECT 1 FROM outbox_transmission message
            WHERE message.id = call.transmission AND message.status = ANY(%(open)s)
        ) AS may_go
    FROM devices_call call
    WHERE call.device_id = %(device)s AND call.id > %(after)s AND call.id < %(end)s
    ORDER BY call.id LIMIT %(window)s
"""
MESSAGES = """
    SELECT message.id, true AS is_due, NOT EXISTS (
        SELECT 1 FROM devices_call call WHERE call.transmission = message.id AND NOT EXISTS (
            SELECT 1 FROM monitoring_journalentry entry
            WHERE entry.device_id = call.device_id AND entry.kind IN ('call', 'call_open')
                AND entry.source = call.id)
        ) AS may_go
    FROM outbox_transmission message JOIN outbox_lane lane ON lane.id = message.lane_id
    WHERE lane.device_id = %(device)s AND lane.stream = %(stream)s AND message.status = %(accepted)s
        AND message.finished_at < %(cut)s AND message.id > %(after)s
        AND octet_length(message.body) > 0
    ORDER BY message.id LIMIT %(window)s
"""


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    is_due: bool
    may_go: bool

    @property
    def goes(self) -> bool:
        return self.is_due and self.may_go


def first_young(cut: datetime) -> int:
    """No older call has this id or a later one."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_YOUNG, [cut])
        (found,) = cursor.fetchone()
    if found is None:
        last = Call.objects.order_by("-pk").values_list("pk", flat=True).first()
        found = (last or 0) + 1
    return int(found)


def look(device_id: int, kind: Kind, after: int, end: int) -> list[Row]:
    """The next rows behind `after`: for calls all of the device's, so that runs can be told."""
    about: dict[str, Any] = {
        "device": device_id, "cut": kind.cut, "after": after, "end": end, "window": WINDOW,
        "asked": ASKED, "is_asked": kind.what == "asked", "open": OPEN, "empty": EMPTY,
        "stream": kind.what, "accepted": Status.ACCEPTED.value,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES if kind.is_messages else CALLS, about)
        return [Row(*row) for row in cursor.fetchall()]


def empty_bodies(ids: list[int], kind: Kind) -> None:
    with connection.cursor() as cursor:
        if kind.is_messages:
            cursor.execute(
                "UPDATE outbox_transmission SET body = '',"
                " content = substring(content FROM 1 FOR 0) WHERE id = ANY(%s) AND status = %s",
                [ids, Status.ACCEPTED.value],
            )
        else:
            cursor.execute(
                "UPDATE devices_call SET request = '', answer = '', pruned_at = %s"
                " WHERE id = ANY(%s) AND pruned_at IS NULL",
                [timezone.now(), ids],
            )


def runs_of(rows: list[Row]) -> list[list[int]]:
    """[first, last] of what goes, with nothing between that stays."""
    runs: list[list[int]] = []
    is_open = False
    for row in rows:
        if row.goes and is_open:
            runs[-1][1] = row.id
        elif row.goes:
            runs.append([row.id, row.id])
        is_open = row.goes
    return runs
