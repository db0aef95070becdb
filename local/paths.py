"""Where things are kept. Nothing here creates a folder by being imported."""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path

from local.console import Problem

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
LOGS = STATE / "logs"
SHARED_TEMP = Path("/var/tmp")
CHECKOUT_ID = "checkout.id"


def state_folder() -> Path:
    """The checkout's folder for what is kept between runs."""
    STATE.mkdir(mode=0o755, exist_ok=True)
    LOGS.mkdir(mode=0o755, exist_ok=True)
    return STATE


def cluster_home(*, root: Path = ROOT, is_root: bool | None = None) -> Path:
    """The folder PostgreSQL lives in.

    PostgreSQL refuses to run as root, and the account it gets instead may not be able to walk
    to the checkout (/root is 0700). As root it therefore lives outside, keyed by the checkout's
    path and id: a fresh clone at a path that was in use finds no database it has no keys for.
    """
    if not (os.geteuid() == 0 if is_root is None else is_root):
        return state_folder()
    path = str(root)
    folder = _home_of(f"{path}\n{_checkout_id()}")
    if not folder.exists():
        _remove_homes_of(path)
        former = _home_of(path)  # as it was keyed before there were ids
        if former.exists() and (state_folder() / "simulator").exists():
            former.rename(folder)
    home = _own_folder(folder)
    (home / "checkout").write_text(path)
    return home


def _home_of(key: str) -> Path:
    return SHARED_TEMP / f"etims-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _checkout_id() -> str:
    file = state_folder() / CHECKOUT_ID
    if not file.exists():
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(secrets.token_hex(8))
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)  # at once or not at all: two commands may start together
        draft.unlink()
    return file.read_text()


def _remove_homes_of(path: str) -> None:
    """Remove what a checkout that was at `path` before this one left outside."""
    for note in SHARED_TEMP.glob("etims-*/checkout"):
        if note.parent.lstat().st_uid == os.geteuid() and note.read_text() == path:
            shutil.rmtree(note.parent)


def _own_folder(folder: Path) -> Path:
    # The parent is writable by everybody: a folder somebody else laid there is not ours to trust.
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Problem(f"{folder} belongs to somebody else; remove it and try again.")
    folder.chmod(0o755)
    return folder
