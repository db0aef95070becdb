"""Write what has happened into the chains, behind the paths that sell and deliver.

Why a crash makes no gap and no double: the facts of a batch leave the list of what is to be
entered in the transaction that enters them, under the lock of the chain's head; and the database
takes each (device, kind, source) and each sequence number once.
"""

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from cryptography.fernet import InvalidToken
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max
from django.utils import timezone

from devices.models import Device, SigningKey
from devices.services import generate_keys
from monitoring.models import JournalEntry, JournalHead, JournalSource, UnjournaledFact

from .collecting import TABLES, collect
from .facts import GONE, OPEN_AFTER_S, READERS, Facts, as_open, plain
from .signing import NOTHING, Signer, device_facts, seal

log = logging.getLogger(__name__)

BATCH = 500
LAST_ID = 2**62
# A call is entered when it has ended; one that never does, an hour later, as open.
NEXT = """
    SELECT fact.id, fact.kind, fact.source, fact.facts, fact.at,
        fact.kind = 'call' AND call.id IS NOT NULL AND call.finished_at IS NULL AS is_open
    FROM monitoring_unjournaledfact fact
    LEFT JOIN devices_call call ON fact.kind = 'call' AND call.id = fact.source
    WHERE fact.device_id = %s AND (
        fact.kind <> 'call' OR call.id IS NULL OR call.finished_at IS NOT NULL
        OR (fact.at < %s AND NOT fact.is_open_noted))
    ORDER BY fact.at, fact.id LIMIT %s
"""
READY = "SELECT DISTINCT device_id FROM monitoring_unjournaledfact ORDER BY device_id"
OLDEST = """
    SELECT min(coalesce(call.finished_at, fact.at)) FROM monitoring_unjournaledfact fact
    LEFT JOIN devices_call call ON fact.kind = 'call' AND call.id = fact.source
    WHERE fact.kind <> 'call' OR call.id IS NULL OR call.finished_at IS NOT NULL
        OR (fact.at < %s AND NOT fact.is_open_noted)
"""
LATE = """
    SELECT device_id, oldest FROM (
        SELECT fact.device_id, min(coalesce(call.finished_at, fact.at)) AS oldest
        FROM monitoring_unjournaledfact fact
        LEFT JOIN devices_call call ON fact.kind = 'call' AND call.id = fact.source
        WHERE fact.kind <> 'call' OR call.id IS NULL OR call.finished_at IS NOT NULL
            OR (fact.at < %s AND NOT fact.is_open_noted)
        GROUP BY 1
    ) waiting WHERE oldest < %s ORDER BY oldest LIMIT 200
"""


class JournalBroken(Exception):
    """The chain does not end where it was left: entries were removed or put in."""


@dataclass(slots=True)
class Chain:
    """The end of one device's chain while its head is locked, and what is added to it."""

    device: Device
    head: JournalHead
    last_at: datetime | None
    signer: Signer | None = None
    added: list[JournalEntry] = field(default_factory=list)

    def add(self, kind: str, source: int, facts: Facts) -> None:
        assert self.signer is not None
        at = max(filter(None, (timezone.now(), self.last_at)))
        self.last_at, self.head.sequence = at, self.head.sequence + 1
        about = {
            "type": "entry",
            "device": device_facts(self.device),
            "sequence": self.head.sequence,
            "previous": self.head.hash or NOTHING,
            "recorded_at": plain(at),
            "kind": kind,
            "source": source,
            "facts": facts,
        }
        signed = seal(about, self.signer)
        self.head.hash = signed.hash
        self.added.append(
            JournalEntry(
                device_id=self.device.pk,
                sequence=self.head.sequence,
                kind=kind,
                source=source,
                recorded_at=at,
                key_id=self.signer.key.pk,
                body=signed.body,
                hash=signed.hash,
                signature=signed.signature,
            )
        )


def follow(*, until: float) -> int:
    """Enter all there is until the monotonic time `until`. Any number may run at once."""
    collect(until=until)
    written = 0
    for device_id in _waiting_devices():
        if time.monotonic() >= until:
            break
        written += _follow_device(device_id, until)
    return written


def _waiting_devices() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(READY)
        waiting = {row[0] for row in cursor.fetchall()}
    # A new key is a fact as well, announced by the key before it.
    newest = SigningKey.objects.values("device_id").annotate(newest=Max("version"))
    rotated = newest.filter(newest__gt=F("device__journal_head__key_version"))
    return sorted(waiting | set(rotated.values_list("device_id", flat=True)))


def _follow_device(device_id: int, until: float) -> int:
    written = 0
    try:
        while time.monotonic() < until:
            count = append(device_id)
            written += count
            if count < BATCH:
                break
    except (JournalBroken, InvalidToken, IntegrityError, rfc8785.CanonicalizationError):
        # One device's trouble is not the others'. Its lag grows, and that is watched.
        log.exception("journal stopped", extra={"device": device_id})
    return written


@transaction.atomic(durable=True)
def append(device_id: int, limit: int = BATCH) -> int:
    """Enter a device's next facts; returns how many. 0 as well when another does it now."""
    JournalHead.objects.bulk_create([JournalHead(device_id=device_id)], ignore_conflicts=True)
    heads = JournalHead.objects.select_for_update(skip_locked=True)
    head = heads.filter(device_id=device_id).first()
    if head is None:
        return 0
    chain = _open(head)
    facts = _next_facts(device_id, limit)
    announce_keys(chain)
    _enter(chain, facts)
    if not chain.added:
        return 0
    JournalEntry.objects.bulk_create(chain.added)
    head.save(update_fields=["sequence", "hash", "key_version"])
    return len(chain.added)


def _open(head: JournalHead) -> Chain:
    """Raises JournalBroken."""
    entries = JournalEntry.objects.filter(device_id=head.device_id).order_by("-sequence")
    last = entries.values_list("sequence", "hash", "recorded_at").first()
    found = (last[0], last[1]) if last else (0, "")
    if found != (head.sequence, head.hash):
        raise JournalBroken(
            f"The chain ends with entry {found[0]}, and was left after entry {head.sequence}."
        )
    related = Device.objects.select_related("company", "branch")
    # No secret but the signing key: the loss of another must not stop the journal.
    device = related.only("serial", "company__pin", "branch__code").get(pk=head.device_id)
    return Chain(device, head, last[2] if last else None)


def _next_facts(device_id: int, limit: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [device_id, _opened_before(), limit])
        return list(cursor.fetchall())


def _opened_before() -> datetime:
    return timezone.now() - timedelta(seconds=OPEN_AFTER_S)


def announce_keys(chain: Chain, *, lost: bool = False) -> None:
    """Each new key is announced by an entry that the key before it signs; the first by itself, and
    so is the next after one that was lost.
    """
    keys = SigningKey.objects.filter(device=chain.device)
    known = None if lost else keys.filter(version=chain.head.key_version).first()
    chain.signer = Signer.of(known) if known else None
    new = list(keys.filter(version__gt=chain.head.key_version).order_by("version"))
    if known is None and not new:
        new = [generate_keys(chain.device)]
    for key in new:
        signer = Signer.of(key)
        chain.signer = chain.signer or signer
        facts = {
            "version": key.version,
            "public_key": key.public_key,
            "fingerprint": key.fingerprint,
            "created_at": key.created_at,
        }
        chain.add("key", key.pk, plain(facts))
        chain.signer, chain.head.key_version = signer, key.version


def _enter(chain: Chain, rows: list[tuple[Any, ...]]) -> None:
    read = {
        kind: reader([source for _, k, source, *_ in rows if k == kind])
        for kind, reader in READERS.items()
        if any(row[1] == kind for row in rows)
    }
    done: list[int] = []
    noted: list[int] = []
    for pk, kind, source, facts, at, is_open in rows:
        if source is None:
            chain.add(kind, pk, plain({"noted_at": at}) | json.loads(facts))
        else:
            # The row may be gone already: that it is, is worth an entry.
            found = read[kind].get(source, GONE)
            if is_open:
                chain.add("call_open", source, as_open(found))
            else:
                chain.add(kind, source, found)
        (noted if is_open else done).append(pk)
    UnjournaledFact.objects.filter(pk__in=done).delete()
    UnjournaledFact.objects.filter(pk__in=noted).update(is_open_noted=True)


def late_devices(before: datetime) -> list[tuple[int, datetime]]:
    """Devices with a fact from before `before` that is noted and in no chain; the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(LATE, [_opened_before(), before])
        return list(cursor.fetchall())


def oldest_unread() -> datetime | None:
    """When the oldest row came that the follower has not even noted."""
    closed = dict(JournalSource.objects.values_list("kind", "closed_id"))
    found: list[datetime] = []
    with connection.cursor() as cursor:
        for table in TABLES:
            # Where the follower has not been: ids rise with time, near enough for an age.
            first = f"SELECT at FROM ({table.rows}) new ORDER BY id LIMIT 1"
            cursor.execute(first, [closed.get(table.kind, 0), LAST_ID])
            found.extend(row[0] for row in cursor.fetchall())
    return min(found, default=None)


def oldest_unjournaled() -> datetime | None:
    """When the oldest fact happened that is in no chain yet; None when all are. For metrics."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST, [_opened_before()])
        found = [cursor.fetchone()[0], oldest_unread()]
    return min((moment for moment in found if moment), default=None)


def lag_s() -> float:
    """Age in seconds of the oldest fact that is in no chain yet."""
    oldest = oldest_unjournaled()
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
