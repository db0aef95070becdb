"""Find every new row of the tables that the journal follows: each exactly once, none skipped.

Ids are handed out in another order than they commit, so "the last id I saw" may pass over a row
that commits later. This is how a table is read up to a number that no row can fall behind:
1. read the last id that the table's sequence has handed out;
2. note who holds the lock that an INSERT takes before it asks for its id;
3. wait until all of these transactions have ended: every id up to that number is now either
   visible or will never be.
Nobody waits for us, and no row of theirs is written. Readers like us hold no such lock.
"""

import logging
import time
from dataclasses import dataclass

from django.apps import apps
from django.db import connection, transaction

from monitoring.models import JournalSource

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
PAUSE_S = 0.005
CHUNK = 5000

MARK = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows are facts. `rows` selects device, id and time of those in a range."""

    kind: str
    label: str
    rows: str

    @property
    def name(self) -> str:
        return str(apps.get_model(self.label)._meta.db_table)


TABLES = (
    Table(
        "call",
        "devices.Call",
        "SELECT device_id, id, started_at AS at FROM devices_call WHERE id > %s AND id <= %s",
    ),
    Table(
        "receipt",
        "sales.Receipt",
        "SELECT device_id, id, created_at AS at FROM sales_receipt WHERE id > %s AND id <= %s",
    ),
    Table(
        "z_report",
        "sales.ZReport",
        "SELECT device_id, id, closed_at AS at FROM sales_zreport WHERE id > %s AND id <= %s",
    ),
)


def collect(*, until: float) -> int:
    """Note the new rows of all tables as facts to enter. No transaction may be open."""
    return sum(_collect(table, until) for table in TABLES)


def _collect(table: Table, until: float) -> int:
    mark = _last_id(table)
    source, _ = JournalSource.objects.get_or_create(kind=table.kind)
    if mark <= source.closed_id or not _writers_have_ended(table):
        return 0
    found = 0
    while time.monotonic() < until:
        count, is_done = _take(table, mark)
        found += count
        if is_done:
            break
    return found


def _last_id(table: Table) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table.name])
        (sequence,) = cursor.fetchone()
        cursor.execute(MARK.format(sequence=sequence))
        return int(cursor.fetchone()[0])


def _writers(table: Table) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(WRITERS, [table.name])
        return {row[0] for row in cursor.fetchall()}


def _writers_have_ended(table: Table) -> bool:
    """Whether all who wrote when we came have ended meanwhile. New ones have later ids."""
    patience = time.monotonic() + PATIENCE_S
    waiting = _writers(table)
    while waiting and time.monotonic() < patience:
        time.sleep(PAUSE_S)
        waiting &= _writers(table)
    if waiting:
        log.warning("the journal waits for a long transaction", extra={"kind": table.kind})
    return not waiting


@transaction.atomic(durable=True)
def _take(table: Table, mark: int) -> tuple[int, bool]:
    """Note one chunk. Two collectors: one waits, then finds it done."""
    source = JournalSource.objects.select_for_update().get(kind=table.kind)
    first, last = source.closed_id, min(mark, source.closed_id + CHUNK)
    if last <= first:
        return 0, True
    with connection.cursor() as cursor:
        # By their ids: facts of one device keep the order of their rows where times are equal.
        cursor.execute(
            "INSERT INTO monitoring_unjournaledfact (device_id, kind, source, at, is_open_noted)"
            f" SELECT device_id, %s, id, at, false FROM ({table.rows}) new ORDER BY id",
            [table.kind, first, last],
        )
        count = cursor.rowcount
    JournalSource.objects.filter(kind=table.kind).update(closed_id=last)
    return count, last >= mark
