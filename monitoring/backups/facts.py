"""What a restored copy must agree on with the original: rows per table, counters, heads.

settings.BACKUP_FACTS lists functions that take a cursor and return names with values.
"""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
"""
COUNTERS = """
    SELECT c.pin || ' ' || d.serial || ' ' || l.stream, l.last_number
    FROM outbox_lane l JOIN devices_device d ON d.id = l.device_id
    JOIN companies_company c ON c.id = d.company_id ORDER BY 1
"""
LAST_SIGNED = """
    SELECT c.pin || ' ' || d.serial, max(r.number) || '/' || max(r.receipt_number)
    FROM sales_receipt r JOIN sales_invoice i ON i.id = r.invoice_id
    JOIN devices_device d ON d.id = i.device_id JOIN companies_company c ON c.id = d.company_id
    GROUP BY 1 ORDER BY 1
"""

# Where each chain says that it ends, and where it does.
HEADS = """
    SELECT c.pin || ' ' || d.serial, h.sequence || ' ' || h.hash,
        coalesce(last.sequence || ' ' || last.hash, 'none')
    FROM monitoring_journalhead h JOIN devices_device d ON d.id = h.device_id
    JOIN companies_company c ON c.id = d.company_id
    LEFT JOIN LATERAL (
        SELECT sequence, hash FROM monitoring_journalentry e WHERE e.device_id = h.device_id
        ORDER BY sequence DESC LIMIT 1
    ) last ON true ORDER BY 1
"""


def facts_of(cursor: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in settings.BACKUP_FACTS:
        found |= {name: str(value) for name, value in import_string(path)(cursor).items()}
    return found


def rows_per_table(cursor: Any) -> dict[str, Any]:
    cursor.execute(TABLES)
    counts = {}
    for (table,) in cursor.fetchall():
        # Names from PostgreSQL's own list.
        cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608
        counts[f"rows of {table}"] = cursor.fetchone()[0]
    return counts


def counters(cursor: Any) -> dict[str, Any]:
    """The last accepted number of each lane, and the last that KRA signed for each device."""
    cursor.execute(COUNTERS)
    found = {f"counter {name}": value for name, value in cursor.fetchall()}
    cursor.execute(LAST_SIGNED)
    return found | {f"signed {name}": value for name, value in cursor.fetchall()}


def chain_heads(cursor: Any) -> dict[str, Any]:
    """How long each device's journal is, and the hash that stands for all of it."""
    cursor.execute(HEADS)
    found: dict[str, Any] = {}
    for name, head, last in cursor.fetchall():
        found |= {f"chain head {name}": head, f"last entry {name}": last}
    return found
