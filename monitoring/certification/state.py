"""What a run has reached, in a file of its folder: a second start reads it and goes on."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from django.utils import timezone

from core.errors import Conflict

STATE_FILE, LOCK_FILE = "state.json", ".lock"
# Rule 13.3: KRA's test session.
SESSION = timedelta(hours=1)

Verdict = Literal["started", "passed", "failed", "skipped", "again"]


class FolderInUse(Conflict):
    code = "folder_in_use"
    help = "Wait for the other run, or give another --folder."


class FolderOfAnother(Conflict):
    code = "folder_of_another_run"
    help = "Give another --folder for another run, or the same company, branch and serial."


class SessionOver(Conflict):
    code = "session_over"
    help = (
        "Open a new test session in KRA's portal and start with a new --folder: all cases run "
        "again, but for the initialisation, which is never repeated."
    )


class Result(msgspec.Struct):
    """One case. `after_call` is the last call to KRA before the case first started."""

    verdict: Verdict
    after_call: int
    started_at: datetime
    finished_at: datetime | None = None
    code: str = ""
    message: str = ""
    next_step: str = ""
    calls: list[int] = []
    # KRA had nothing to list: the call works, what comes in it was not seen.
    is_empty: bool = False

    @property
    def has_passed(self) -> bool:
        return self.verdict == "passed"

    @property
    def words(self) -> str:
        return f"{self.verdict}, empty" if self.is_empty else self.verdict

    @property
    def seconds(self) -> float:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else 0.0


class RunState(msgspec.Struct):
    target: str
    company: str
    branch: str
    serial: str
    stamp: str
    started_at: datetime
    first_call: int
    results: dict[str, Result] = {}

    @property
    def elapsed(self) -> timedelta:
        return timezone.now() - self.started_at

    @property
    def remaining(self) -> timedelta:
        return max(timedelta(0), SESSION - self.elapsed)

    def has_passed(self, case_id: str) -> bool:
        result = self.results.get(case_id)
        return result is not None and result.has_passed


def load(folder: Path) -> RunState | None:
    """The run of this folder; None for a fresh one. Raises FolderOfAnother for a broken file."""
    try:
        return msgspec.json.decode((folder / STATE_FILE).read_bytes(), type=RunState)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise FolderOfAnother(f"{folder / STATE_FILE} cannot be read: {error}") from error


def save(folder: Path, state: RunState) -> None:
    """All or nothing: a power cut leaves the old file or the new one."""
    write(folder / STATE_FILE, msgspec.json.format(msgspec.json.encode(state), indent=2))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run per folder at a time; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"Another run works in {folder}.") from error
        yield
