"""Write a copy: one snapshot for the facts and for pg_dump, sealed as it streams."""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
from django.utils import timezone

from core.sealing import CHUNK, seal

from . import programs
from .facts import facts_of

FORMAT = 1


class Manifest(msgspec.Struct):
    format: int
    made_at: str
    server: int
    facts: dict[str, str]


def back_up(url: str, target: Path, passphrase: str) -> Manifest:
    """The file appears whole, or not at all. Raises DumpFailed, ProgramMissing, NotOpened."""
    # A name of its own: two at once must not write into one file.
    part = target.with_name(f"{target.name}.{uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as file:
            os.chmod(part, 0o600)
            with psycopg.connect(url) as connection:
                manifest = _write(connection, url, file, passphrase)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, target)  # unlike a rename, it never replaces another copy
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _write(connection: "psycopg.Connection", url: str, file: object, passphrase: str) -> Manifest:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    cursor = connection.cursor()
    cursor.execute("SELECT pg_export_snapshot()")
    ((snapshot,),) = cursor.fetchall()
    major = connection.info.server_version // 10_000
    manifest = Manifest(FORMAT, timezone.now().isoformat(), major, facts_of(cursor))
    command = [
        str(programs.folder_for(major) / "pg_dump"), "--format=custom", "--no-owner",
        "--no-privileges", "--schema=public", f"--snapshot={snapshot}",
    ]  # fmt: skip
    seal(_parts(manifest, command, programs.environment_for(url)), file, passphrase)  # type: ignore[arg-type]
    return manifest


def _parts(manifest: Manifest, command: list[str], environment: dict[str, str]) -> Iterator[bytes]:
    """The manifest with its length, then the dump. A failing dump is not ended: it raises."""
    text = msgspec.json.encode(manifest)
    yield struct.pack(">Q", len(text)) + text
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        while part := process.stdout.read(CHUNK):
            yield part
        said = process.stderr.read().decode("utf-8", "replace")
        if process.wait() != 0:
            raise programs.DumpFailed(f"pg_dump: {said.strip()[-500:]}")
    finally:
        process.kill()
        process.communicate()
