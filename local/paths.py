"""Where things are kept. Nothing here creates a folder by being imported."""

import hashlib
import os
import stat
from pathlib import Path

from local.console import Problem

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
LOGS = STATE / "logs"
SHARED_TEMP = Path("/var/tmp")


def state_folder() -> Path:
    """The checkout's folder for what is kept between runs."""
    STATE.mkdir(mode=0o755, exist_ok=True)
    LOGS.mkdir(mode=0o755, exist_ok=True)
    return STATE


def cluster_home(*, root: Path = ROOT, is_root: bool | None = None) -> Path:
    """The folder PostgreSQL lives in.

    PostgreSQL refuses to run as root, and the account it gets instead may not be able to walk
    to the checkout (/root is 0700). As root it therefore lives outside, keyed by the checkout.
    """
    if not (os.geteuid() == 0 if is_root is None else is_root):
        return state_folder()
    key = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    return _own_folder(SHARED_TEMP / f"etims-{key}")


def _own_folder(folder: Path) -> Path:
    # The parent is writable by everybody: a folder somebody else laid there is not ours to trust.
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Problem(f"{folder} belongs to somebody else; remove it and try again.")
    folder.chmod(0o755)
    return folder
