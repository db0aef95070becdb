"""Read a copy back into an empty database, compare it, and keep it from speaking to KRA.

KRA went on after the copy was made: its last numbers are higher than ours. Every device is put into
the state `restored`, from which only a proven counter leads out (outbox/restored.py).
"""

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import msgspec
import psycopg
from psycopg import sql

from core.errors import Conflict
from core.sealing import unseal

from . import programs
from .dumping import FORMAT, Manifest
from .facts import facts_of

HOLD = """
    UPDATE devices_device
    SET state = 'restored', state_before = CASE WHEN state = 'restored' THEN state_before
        ELSE state END, state_reason = 'restored from a copy; its counter must be checked with KRA'
    WHERE key <> '' AND state IN ('active', 'suspended', 'refused', 'restored')
"""
LANES = """
    INSERT INTO outbox_lane (device_id, stream, last_number)
    SELECT id, 'fiscal', 0 FROM devices_device WHERE state = 'restored'
    ON CONFLICT (device_id, stream) DO NOTHING
"""
AFTERWARDS = [
    HOLD,
    LANES,
    "UPDATE outbox_lane SET lease_owner = NULL, lease_until = NULL, resume_at = NULL",
    # Transaction ids begin anew in another cluster (monitoring/webhooks/feed.py).
    "UPDATE monitoring_event SET recorded_in = 0",
    "UPDATE monitoring_feed SET era = era + 1, pruned_to = -1, sender = NULL, sender_until = NULL",
    "DELETE FROM monitoring_heartbeat",
    # The chain goes on from the copy: whoever holds a newer checkpoint learns why it is not there.
    """INSERT INTO monitoring_unjournaledfact (device_id, kind, facts, at, is_open_noted)
    SELECT id, 'device_state',
        jsonb_build_object('state', state, 'reason', state_reason), now(), false
    FROM devices_device WHERE state = 'restored'""",
]


# From before the first row until the devices are held back, whoever else connects can only read:
# a death in between must not leave a database that speaks to KRA with old counters.
LOCK = "ALTER DATABASE {} SET default_transaction_read_only = on"
UNLOCK = "ALTER DATABASE {} RESET default_transaction_read_only"
MAY_WRITE = "-c default_transaction_read_only=off"


class NotRestored(Conflict):
    code = "not_restored"
    help = "Give an empty database (createdb), and the file as it was written."


def restore(source: Path, url: str, passphrase: str) -> tuple[Manifest, list[str]]:
    """Fill an empty database; return what the copy said and where the result differs.

    Raises NotRestored, DumpFailed, ProgramMissing, NotOpened; then the database is still empty.
    """
    with psycopg.connect(url, options=MAY_WRITE) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind = 'r'"
        ).fetchone()
        if found is None or found[0]:
            raise NotRestored("The database is not empty: it would be mixed with the copy.")
        major = connection.info.server_version // 10_000
        _set(connection, LOCK)
    try:
        manifest = _fill(source, url, passphrase, major)
    except BaseException:
        with psycopg.connect(url, options=MAY_WRITE) as connection:
            _set(connection, UNLOCK)  # it is still empty
        raise
    with psycopg.connect(url, options=MAY_WRITE) as connection:
        differences = compare(manifest, facts_of(connection.cursor()))
        for statement in AFTERWARDS:
            connection.execute(statement.encode())
        _set(connection, UNLOCK)
    return manifest, differences


def _set(connection: "psycopg.Connection", statement: str) -> None:
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL(statement).format(name))


def _fill(source: Path, url: str, passphrase: str, major: int) -> Manifest:
    with source.open("rb") as file:
        parts = unseal(file, passphrase)
        manifest, rest = _manifest(parts)
        _load(rest, parts, url, max(major, manifest.server))
    return manifest


def _manifest(parts: Iterator[bytes]) -> tuple[Manifest, bytes]:
    held = next(parts, b"")
    (size,) = struct.unpack(">Q", held[:8].rjust(8, b"\0"))
    while len(held) < 8 + size:
        more = next(parts, b"")
        if not more:
            raise NotRestored("The file ends before its list of contents does.")
        held += more
    manifest = msgspec.json.decode(held[8 : 8 + size], type=Manifest)
    if manifest.format != FORMAT:
        raise NotRestored(f"The file has format {manifest.format}; this version reads {FORMAT}.")
    return manifest, held[8 + size :]


def _load(first: bytes, parts: Iterator[bytes], url: str, major: int) -> None:
    """In one transaction: a file that turns out damaged leaves nothing behind."""
    environment = programs.environment_for(url) | {"PGOPTIONS": MAY_WRITE}
    command = [
        str(programs.folder_for(major) / "pg_restore"), "--single-transaction", "--no-owner",
        "--no-privileges", "--exit-on-error", "--clean", "--if-exists",
        f"--dbname={environment['PGDATABASE']}",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(first)
            for part in parts:
                process.stdin.write(part)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it says why below
        said = process.stderr.read().decode("utf-8", "replace")
        if process.wait() != 0:
            raise programs.DumpFailed(f"pg_restore: {said.strip()[-500:]}")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()  # type: ignore[union-attr]


def compare(manifest: Manifest, found: dict[str, str]) -> list[str]:
    # Copies made before chain heads were noted know none; the rest is compared all the same.
    is_older = not any(name.startswith("chain head ") for name in manifest.facts)
    unknown = {
        name for name in found if is_older and name.startswith(("chain head ", "last entry "))
    }
    names = sorted(manifest.facts.keys() | found.keys() - unknown)
    return [
        f"{name}: {manifest.facts.get(name, 'none')} in the copy, {found.get(name, 'none')} here"
        for name in names
        if manifest.facts.get(name) != found.get(name)
    ]


def rehearse(source: Path, url: str, passphrase: str) -> tuple[Manifest, list[str]]:
    """Restore into a database of its own beside the one in use, compare, and drop it."""
    name = f"etims_drill_{uuid4().hex[:12]}"
    parts = urlsplit(url)
    beside = urlunsplit(parts._replace(path=f"/{quote(name)}"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        )
        try:
            return restore(source, beside, passphrase)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
