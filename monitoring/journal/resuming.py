"""Go on behind a break, without hiding it: a signed entry says what was found and who went on.

Three things stop a chain: its end is not where it was left (entries removed or put in), its last
entry was changed, or the key that signs it can no longer be read.
"""

from typing import Any

from cryptography.fernet import InvalidToken
from django.db import connection, transaction
from django.db.models import Max

from core.errors import Conflict, Invalid, Problem
from devices.models import Device, SigningKey
from devices.services import generate_keys
from monitoring.models import JournalCheckpoint, JournalEntry, JournalHead, JournalSource

from .collecting import TABLES
from .comparing import UNKNOWN_ROWS
from .follower import Chain, announce_keys
from .signing import Signer

# Rows whose entries were removed are entered again, as they are now.
NOTE_AGAIN = """
    INSERT INTO monitoring_unjournaledfact (device_id, kind, source, at, is_open_noted)
    SELECT %s, %s, found.id, now(), false FROM ({unknown}) found
"""


class JournalWhole(Conflict):
    code = "journal_whole"
    help = "Nothing is to be resumed. If it lags, read the worker's log for another cause."


@transaction.atomic(durable=True)
def resume(device: Device, *, reason: str, by: str) -> int:
    """Write the entry that says what was broken; returns its number. Raises JournalWhole, Invalid.

    What stands is left as it stands. Numbers that were used once are not used again.
    """
    if not 3 <= len(reason.strip()) <= 300:
        step = "Say in 3 to 300 characters what happened to the chain."
        raise Invalid("It needs a reason.", problems=[Problem("reason", "No reason.", step)])
    JournalHead.objects.bulk_create([JournalHead(device=device)], ignore_conflicts=True)
    head = JournalHead.objects.select_for_update().get(device=device)
    last = JournalEntry.objects.filter(device=device).order_by("-sequence").first()
    known = _announced(device)
    trouble = " ".join(filter(None, [_break(head, last), _lost_key(known)]))
    if not trouble:
        raise JournalWhole("The chain ends where it was left, and its key can be read.")
    facts: dict[str, Any] = {
        "trouble": trouble,
        "reason": reason.strip(),
        "by": by,
        "left_after": {"sequence": head.sequence, "hash": head.hash},
        "found": {"sequence": last.sequence if last else 0, "hash": last.hash if last else ""},
    }
    chain = _behind(device, head, last)
    _sign_on(chain, known)
    chain.add("resumed", chain.head.sequence + 1, facts)
    JournalEntry.objects.bulk_create(chain.added)
    head.save(update_fields=["sequence", "hash", "key_version"])
    _note_again(device)
    return int(head.sequence)


def _announced(device: Device) -> SigningKey | None:
    """The key that the chain, as it stands, announced last."""
    keys = JournalEntry.objects.filter(device=device, kind="key").order_by("-sequence")
    source = keys.values_list("source", flat=True).first()
    return SigningKey.objects.defer("private_key").filter(device=device, pk=source or 0).first()


def _break(head: JournalHead, last: JournalEntry | None) -> str:
    found = (last.sequence, last.hash) if last else (0, "")
    if found == (head.sequence, head.hash):
        return ""
    if found[0] == head.sequence:
        return f"Entry {found[0]} was changed: its hash was {head.hash}."
    return f"The chain ended with entry {found[0]}, and was left after entry {head.sequence}."


def _lost_key(known: SigningKey | None) -> str:
    if known is None or _is_readable(known):
        return ""
    return f"The private part of the key {known.fingerprint} cannot be read."


def _is_readable(key: SigningKey) -> bool:
    try:
        Signer.of(SigningKey.objects.get(pk=key.pk))
    except InvalidToken:
        return False
    return True


def _behind(device: Device, head: JournalHead, last: JournalEntry | None) -> Chain:
    """The chain as it shall go on: after what stands, above all numbers ever given out."""
    checkpoints = JournalCheckpoint.objects.filter(device=device)
    known = checkpoints.aggregate(last=Max("sequence"))["last"] or 0
    head.sequence = max(head.sequence, known, last.sequence if last else 0)
    head.hash = last.hash if last else ""
    return Chain(device, head, last.recorded_at if last else None)


def _sign_on(chain: Chain, known: SigningKey | None) -> None:
    """Under the key that the chain announced; where that is lost, under a new one."""
    if known is not None and _is_readable(known):
        chain.head.key_version = known.version
        chain.signer = Signer.of(SigningKey.objects.get(pk=known.pk))
        return
    newest = SigningKey.objects.defer("private_key").filter(device=chain.device)
    current = newest.order_by("-version").first()
    if current is None or current == known or not _is_readable(current):
        current = generate_keys(chain.device)
    chain.head.key_version = current.version - 1
    announce_keys(chain, lost=True)


def _note_again(device: Device) -> None:
    closed = dict(JournalSource.objects.values_list("kind", "closed_id"))
    for table in TABLES:
        unknown = UNKNOWN_ROWS.format(rows=table.rows).replace("LIMIT 1000", "")
        about: list[Any] = [0, closed.get(table.kind, 0), device.pk, table.kind, table.kind]
        with connection.cursor() as cursor:
            cursor.execute(NOTE_AGAIN.format(unknown=unknown), [device.pk, table.kind, *about])
