"""./run reset: wipe the demo's data, secrets and logs, and what killed runs left behind."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from local import lock
from local.console import say
from local.paths import CHECKOUT_ID, ROOT, cluster_home, state_folder
from local.servers import SCRATCH_PREFIX, sweep

KEPT = ("install.lock", "checkout", CHECKOUT_ID, lock.LOCK_FILE)


def main(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="./run reset", description=__doc__).parse_args(argv)
    with lock.held():
        home, state = cluster_home(), state_folder()
        sweep(home)
        busy = any(home.glob(f"{SCRATCH_PREFIX}*"))
        for entry in sorted({*home.iterdir(), *state.iterdir()}):
            if entry.name not in KEPT and not (busy and _is_in_use(entry)):
                remove(entry)
        remove(ROOT / "staticfiles")
    say("Wiped. ./run demo starts from nothing.")
    return 0


def _is_in_use(entry: Path) -> bool:
    # Servers of a test run going on: their folders, their programs, their addresses.
    return entry.name.startswith((SCRATCH_PREFIX, "programs-", "servers.env"))


def remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)
