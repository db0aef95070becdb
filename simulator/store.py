"""SQLite behind the memory. A call is answered after its commit, so kill -9 loses no answer.

Calls that arrive together share one commit. WAL with synchronous=NORMAL hands every commit to
the operating system before it returns: a killed process loses nothing, a power cut may.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

Row = tuple[str, str, str, str, bytes]  # kind, pin, branch, key, document

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, pin TEXT NOT NULL, branch TEXT NOT NULL, key TEXT NOT NULL,
    document BLOB NOT NULL,
    UNIQUE (kind, pin, branch, key)
)
"""
_PUT = """
INSERT INTO record (kind, pin, branch, key, document) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (kind, pin, branch, key) DO UPDATE SET document = excluded.document
"""


class Unusable(Exception):
    """The state cannot be kept there; the text says why."""


def _file(folder: Path | None) -> str:
    if folder is None:
        return ":memory:"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(folder / "simulator.sqlite3")


class Store:
    def __init__(self, folder: Path | None) -> None:
        """`folder` None keeps everything in memory."""
        self._waiting: list[Row] = []
        self._commit: asyncio.Future[None] | None = None
        self._broken: sqlite3.Error | None = None
        try:
            self._db = sqlite3.connect(_file(folder), timeout=0.5, isolation_level=None)
        except (OSError, sqlite3.Error) as exc:
            raise Unusable(f"cannot keep its state in {folder}: {exc}") from exc
        try:
            self._prepare()
        except sqlite3.Error as exc:
            self._db.close()
            reason = "is in use by another simulator" if "locked" in str(exc) else str(exc)
            raise Unusable(f"cannot keep its state in {folder}: it {reason}") from exc

    def _prepare(self) -> None:
        # Exclusive: two processes on one state would each believe their own memory.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.execute("BEGIN EXCLUSIVE")
        self._db.execute(_SCHEMA)
        self._db.execute("COMMIT")

    def rows(self) -> Iterator[Row]:
        yield from self._db.execute(
            "SELECT kind, pin, branch, key, document FROM record ORDER BY id"
        )

    def put(self, row: Row) -> None:
        self._waiting.append(row)
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._flush)

    async def committed(self) -> None:
        """Return once everything put so far is on disk."""
        if self._broken is not None:  # memory is ahead of the disk: answer nothing any more
            raise self._broken
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def _flush(self) -> None:
        rows, done = self._waiting, self._commit
        self._waiting, self._commit = [], None
        assert done is not None
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_PUT, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._broken = exc
            done.set_exception(exc)
            return
        done.set_result(None)

    def clear(self) -> None:
        self._waiting.clear()
        self._db.execute("DELETE FROM record")

    def close(self) -> None:
        self._db.close()
