"""One demo per checkout, and where the running one is."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from local.console import Problem
from local.paths import state_folder

LOCK_FILE = "demo.lock"


class Lock:
    """The held lock. The operating system frees it with the process, however it ends."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle

    def tell(self, **facts: object) -> None:
        """Leave word for whoever finds the lock held."""
        self._handle.seek(0)
        self._handle.truncate()
        self._handle.write(json.dumps(facts))
        self._handle.flush()


@contextlib.contextmanager
def held(file: Path | None = None) -> Iterator[Lock]:
    path = file or state_folder() / LOCK_FILE
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = _address(path)
            raise Problem(f"A demo is already running here: {where}. Stop it first.") from None
        lock = Lock(handle)
        lock.tell()
        try:
            yield lock
        finally:
            lock.tell()


def _address(path: Path) -> str:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {}
    return str(facts.get("url", "it has no address yet"))
