"""What processes that have gone counted. Gunicorn replaces its workers again and again: each leaves
two files, so the counts of the dead are added up in one pair of files, and theirs are removed.

Nothing of Django here: gunicorn's master calls it (deploy/gunicorn.conf.py).
"""

import fcntl
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict

# Untyped there.
MmapedDict: Any = mmap_dict.MmapedDict
# Their files carry numbers; this is none.
DEAD = "dead"
LOCK = ".lock"
TYPES = ("counter", "histogram")


@contextmanager
def shared_lock(folder: str) -> Iterator[None]:
    """While a scrape reads, nothing is moved: or it would count what it finds twice."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(folder: str, how: int) -> Iterator[None]:
    handle = os.open(Path(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def bury(pid: int, folder: str) -> None:
    """Add what a process counted to what all the dead counted."""
    with _locked(folder, fcntl.LOCK_EX):
        for kind in TYPES:
            theirs = Path(folder, f"{kind}_{pid}.db")
            if theirs.exists():
                _add(theirs, Path(folder, f"{kind}_{DEAD}.db"))
                theirs.unlink()


def _add(theirs: Path, all_dead: Path) -> None:
    sums: dict[str, float] = defaultdict(float)
    for file in (all_dead, theirs):
        if file.exists():
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                sums[key] += value
    # Not .db: a file that is not whole yet is nobody's.
    fresh = all_dead.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    values = MmapedDict(str(fresh))
    for key, value in sums.items():
        values.write_value(key, value, 0.0)
    values.close()
    fresh.replace(all_dead)


def empty(folder: str) -> None:
    """A new start counts from nothing: the numbers of old processes may be given out again."""
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in Path(folder).glob("*.db"):
        file.unlink()


def remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
