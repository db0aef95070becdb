"""The floor: pgbench writing the very rows that a sale leaves, in the same tables.

One statement in one transaction, prepared: what PostgreSQL needs for the rows themselves with all
their indexes, foreign keys and checks, whoever sends them.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg import ClientCursor

from bench.load import Result
from bench.shops import BRANCHES, Till, keys_are_regular
from bench.world import connect
from local import binaries
from local.console import Problem

TABLES = ("outbox_transmission", "sales_invoice", "sales_invoiceline")
CLIENTS = 8
# What differs from row to row, as pgbench computes it.
KEYS = r"""\set n random(0, :devices - 1)
\set i :i + 1
\set device :device0 + :n
\set branch :branch0 + :n
\set lane :lane0 + :n
\set company :company0 + :n / :branches
"""
REFERENCE = "'FLOOR-' || :run || '-' || :client_id || '-' || :i"


def pgbench() -> Path:
    """The server's own, else the system's."""
    beside = binaries.find_postgres().folder / "pgbench"
    found = [beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)]
    on_path = shutil.which("pgbench")
    found += [Path(on_path)] if on_path else []
    for program in found:
        if program.is_file() and os.access(program, os.X_OK):
            return program
    raise Problem("No pgbench: install the package postgresql (postgresql-contrib).")


def script(url: str, invoice_id: int) -> str:
    """Inserts that repeat a real sale under other keys."""
    connection = connect(url)
    with connection.cursor() as cursor:
        sold = _row(cursor, "sales_invoice", f"id = {invoice_id}")[0]
        owed = _row(cursor, "outbox_transmission", f"id = {sold['transmission_id']}")[0]
        lines = _row(cursor, "sales_invoiceline", f"invoice_id = {invoice_id} ORDER BY sequence")
    connection.close()
    owed |= {"lane_id": ":lane", "reference": REFERENCE}
    sold |= {
        "company_id": ":company", "branch_id": ":branch", "device_id": ":device",
        "reference": REFERENCE, "public_token": f"md5({REFERENCE})", "transmission_id": "owed.id",
    }  # fmt: skip
    return KEYS + _statement(owed, sold, lines)


def _row(cursor: Any, table: str, where: str) -> list[dict[str, str]]:
    """Rows as SQL literals, without their key. Times become now(): pgbench reads colons."""
    cursor.execute(f"SELECT * FROM {table} WHERE {where}")
    names, found = [column.name for column in cursor.description], cursor.fetchall()
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0",
        [table],
    )
    kinds = dict(cursor.fetchall())
    return [
        {
            name: "now()" if hasattr(value, "tzinfo") else _literal(cursor, value, kinds[name])
            for name, value in zip(names, row, strict=True)
            if name != "id"
        }
        for row in found
    ]


def _literal(cursor: Any, value: Any, kind: str) -> str:
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    text = ClientCursor(cursor.connection).mogrify("%s", [value]).replace(":", "-")
    return f"CAST({text} AS {kind})"


def _statement(
    owed: Mapping[str, str], sold: Mapping[str, str], lines: Sequence[Mapping[str, str]]
) -> str:
    names = ", ".join(name for name in lines[0] if name != "invoice_id")
    rows = ", ".join(
        "(" + ", ".join(value for name, value in line.items() if name != "invoice_id") + ")"
        for line in lines
    )
    casts = ", ".join(f"line.{name}" for name in names.split(", "))
    return f"""WITH owed AS (
    INSERT INTO outbox_transmission ({", ".join(owed)}) VALUES ({", ".join(owed.values())})
    RETURNING id
), sold AS (
    INSERT INTO sales_invoice ({", ".join(sold)})
    SELECT {", ".join(sold.values())} FROM owed RETURNING id
) INSERT INTO sales_invoiceline (invoice_id, {names})
SELECT sold.id, {casts} FROM sold, (VALUES {rows}) AS line ({names});
"""


def run(folder: Path, url: str, sql: str, tills: Sequence[Till], *, seconds: float) -> Result:
    """Write for some seconds with 8 connections, on the devices of these tills."""
    if not keys_are_regular(tills):
        raise Problem("The keys of the devices do not follow each other.")
    file, prefix = folder / "floor.sql", folder / "floor"
    file.write_text(sql)
    variables = _variables(tills)
    argv = [str(pgbench()), "-n", "-M", "prepared", "-f", str(file), "-T", str(round(seconds))]
    argv += ["-c", str(CLIENTS), "-j", "2", "-l", f"--log-prefix={prefix}"]
    argv += [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
    done = subprocess.run(
        argv, env=_connection(url), capture_output=True, text=True, check=False,
        timeout=seconds + 60,
    )  # fmt: skip
    if done.returncode:
        raise Problem(f"pgbench failed: {done.stderr.strip()[-600:]}")
    return _read_logs(folder, round(seconds))


def _variables(tills: Sequence[Till]) -> dict[str, int]:
    first = tills[0]
    return {
        "i": 0, "run": time.monotonic_ns() // 1_000_000, "devices": len(tills),
        "device0": first.device.pk, "branch0": first.device.branch_id, "lane0": first.lane_id,
        "company0": first.device.company_id, "branches": BRANCHES,
    }  # fmt: skip


def _connection(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    given = {
        "PGHOST": parts.hostname, "PGPORT": str(parts.port or 5432), "PGUSER": parts.username,
        "PGPASSWORD": parts.password, "PGDATABASE": parts.path.lstrip("/"),
    }  # fmt: skip
    return dict(os.environ) | {name: value for name, value in given.items() if value}


def _read_logs(folder: Path, seconds: float) -> Result:
    """pgbench logs one transaction a line; the third word is its time in µs."""
    result = Result(seconds=seconds)
    for log in folder.glob("floor.[0-9]*"):
        for line in log.read_text().splitlines():
            result.note(200, int(line.split()[2]) / 1000)
        log.unlink()
    return result
