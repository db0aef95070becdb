"""Verify the journal where it lies: the chain itself, and the rows that it speaks of.

The chain is walked by the very code that an auditor runs on the export. Beyond that, every call,
receipt and Z is compared with what its entry says of it, so a row that was edited, deleted or put
in later is named.
"""

from bisect import bisect_right
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from django.db import connection

from devices.models import Device
from monitoring.models import (
    JournalCheckpoint,
    JournalEntry,
    JournalHead,
    JournalSource,
    UnjournaledFact,
)
from sales.models import Invoice, State

from .collecting import TABLES
from .export import Range, entries, range_of
from .facts import GONE, READERS, Facts, as_open
from .signing import device_facts, read
from .verify_export import Checker, Finding

Ids = tuple[int, int]
CHUNK = 500
# The hash of nothing: what is left of a body that was emptied.
EMPTY = sha256(b"").hexdigest()
LEFT = {State.VOIDED: "voided", State.SUPERSEDED: "corrected"}

UNKNOWN_ROWS = """
    SELECT new.id FROM ({rows}) new WHERE new.device_id = %s
    AND NOT EXISTS (SELECT 1 FROM monitoring_journalentry entry WHERE
        entry.device_id = new.device_id AND entry.kind = %s AND entry.source = new.id)
    AND NOT EXISTS (SELECT 1 FROM monitoring_unjournaledfact fact WHERE
        fact.kind = %s AND fact.source = new.id)
    ORDER BY new.id LIMIT 1000
"""


def verify_device(device: Device, *, pinned: str = "") -> tuple[Checker, list[Finding]]:
    """All findings about one device. Reads only; the follower may go on meanwhile."""
    checkpoints = JournalCheckpoint.objects.filter(device=device).order_by("sequence")
    head = JournalHead.objects.filter(device=device).first()
    known = set(checkpoints.values_list("sequence", flat=True))
    checker = Checker(device_facts(device), pinned=pinned, wanted=frozenset(known))
    findings: list[Finding] = []
    whole = range_of(device, None, None)
    rows = entries(Range(device, 1, whole.last))
    left: dict[int, str] = {}
    pruned = Pruned(device)
    while chunk := list(islice(rows, CHUNK)):
        findings += _walk(checker, chunk, left, pruned)
    for row in checkpoints.filter(sequence__lte=max(whole.last, 0)):
        findings += checker.checkpoint(read(row.body), row.signature)
    findings += _check_head(checker, head, list(checkpoints.filter(sequence__gt=whole.last)))
    findings += _unknown_rows(device)
    findings += _check_left(device, left)
    return checker, findings


def _walk(
    checker: Checker, chunk: list[JournalEntry], left: dict[int, str], pruned: "Pruned"
) -> Iterator[Finding]:
    said: dict[str, dict[int, tuple[int, Facts]]] = {}
    for entry in chunk:
        body = read(entry.body)
        yield from checker.entry(body, entry.hash, entry.signature)
        if (entry.sequence, entry.kind, entry.source) != (
            body.get("sequence"), body.get("kind"), body.get("source"),
        ):  # fmt: skip
            text = "the columns of its row do not repeat what was signed."
            yield Finding("edited_entry", entry.sequence, text)
        if body["kind"] in LEFT.values():
            left[body["facts"]["document"]] = body["kind"]
        said.setdefault(body["kind"], {})[body["source"]] = (entry.sequence, body["facts"])
    for kind, sources in said.items():
        yield from _compare(kind, sources, pruned)


class Pruned:
    """Whose bodies may be empty. Asked anew before it says no: pruning goes on meanwhile."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.runs = pruned_ranges(device)

    def covers(self, source: int) -> bool:
        if not is_within(source, self.runs):
            self.runs = pruned_ranges(self.device)
        return is_within(source, self.runs)


def pruned_ranges(device: Device) -> list[Ids]:
    """Calls whose bodies were emptied by age, as the chain says."""
    # What waits first: the follower may enter it meanwhile, and then it is read twice, not never.
    waiting = UnjournaledFact.objects.filter(device=device, kind="bodies_pruned")
    facts: list[Any] = list(waiting.values_list("facts", flat=True))
    done = JournalEntry.objects.filter(device=device, kind="bodies_pruned")
    facts += [read(body)["facts"] for body in done.values_list("body", flat=True)]
    runs = [each.get("runs") or [(each["first"], each["last"])] for each in facts]
    return sorted({(first, last) for run in runs for first, last in run})


def _compare(kind: str, said: dict[int, tuple[int, Facts]], pruned: Pruned) -> Iterator[Finding]:
    """The rows as they are now against what their entries say."""
    table = "call" if kind == "call_open" else kind
    if table not in READERS:
        return
    now = READERS[table](said)
    for source, (sequence, facts) in said.items():
        present = now.get(source)
        if facts == GONE:
            continue
        if present is None:
            yield Finding("deleted_row", sequence, f"{table} {source} is gone.")
            continue
        if kind == "call_open":
            present = as_open(present)
        for name, was, is_ in differences(facts, present):
            if is_ == EMPTY and pruned.covers(source):
                continue
            text = f"{table} {source}{_named(facts)}: {name} was {was}, is {is_}."
            yield Finding("changed_row", sequence, text)


def is_within(source: int, runs: list[Ids]) -> bool:
    """`runs` are sorted; where two overlap, the one that begins later speaks."""
    place = bisect_right(runs, (source, 2**63)) - 1
    return place >= 0 and runs[place][0] <= source <= runs[place][1]


def _named(facts: Facts) -> str:
    about = facts.get("reference") or (facts.get("document") or {}).get("reference")
    return f" ({about})" if about else ""


def differences(was: Any, is_: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(is_, dict):
        for key in sorted(was.keys() | is_.keys()):
            path = f"{name}.{key}" if name else key
            yield from differences(was.get(key), is_.get(key), path)
    elif was != is_:
        yield name, was, is_


def _check_head(
    checker: Checker, head: JournalHead | None, beyond: list[JournalCheckpoint]
) -> Iterator[Finding]:
    for row in beyond:
        yield from checker.checkpoint(read(row.body), row.signature)
    if head is not None and head.sequence > checker.sequence and not beyond:
        text = (
            f"the last entry written was {head.sequence}; the chain ends with {checker.sequence}."
        )
        yield Finding("tail_cut", checker.sequence, text)


def _unknown_rows(device: Device) -> Iterator[Finding]:
    """Rows that no entry speaks of though the follower has passed them."""
    closed = dict(JournalSource.objects.values_list("kind", "closed_id"))
    for table in TABLES:
        with connection.cursor() as cursor:
            question = UNKNOWN_ROWS.format(rows=table.rows)
            params: list[Any] = [0, closed.get(table.kind, 0), device.pk, table.kind, table.kind]
            cursor.execute(question, params)
            for (pk,) in cursor.fetchall():
                text = f"no entry speaks of {table.kind} {pk}: it was put in, or its entry removed."
                yield Finding("unknown_row", 0, text)


def _check_left(device: Device, left: dict[int, str]) -> Iterator[Finding]:
    """Sales that people took out of use, against the entries of it."""
    began = JournalEntry.objects.filter(device=device).order_by("sequence").first()
    if began is None:
        return
    gone = Invoice.objects.filter(device=device).exclude(state=State.ACTIVE)
    for invoice in gone.filter(state_at__gte=began.recorded_at).iterator():
        if invoice.pk not in left and not _is_waiting(invoice) and not _is_entered(invoice):
            text = f"{invoice.reference} is {invoice.state}, and no entry says so."
            yield Finding("unknown_row", 0, text)
    active = Invoice.objects.filter(device=device, pk__in=left, state=State.ACTIVE)
    for invoice in active:
        text = f"{invoice.reference} is active; an entry says it was {left[invoice.pk]}."
        yield Finding("changed_row", 0, text)


def _is_waiting(invoice: Invoice) -> bool:
    waiting = UnjournaledFact.objects.filter(device_id=invoice.device_id, kind__in=LEFT.values())
    return waiting.filter(facts__document=invoice.pk).exists()


def _is_entered(invoice: Invoice) -> bool:
    """The follower may have entered it since the chain was walked."""
    kinds = JournalEntry.objects.filter(device_id=invoice.device_id, kind__in=LEFT.values())
    since = kinds.filter(recorded_at__gte=invoice.state_at)
    return any(read(body)["facts"]["document"] == invoice.pk for body in
               since.values_list("body", flat=True).iterator())  # fmt: skip
