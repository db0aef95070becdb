"""A simulator of the run's own: a process on a free port, its books in the run's folder."""

import ctypes
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from .preparation import NotPrepared

ADDRESS = re.compile(r"listening on (http://\S+)")
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
PR_SET_PDEATHSIG = 1


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """Start it, point this process at it, and stop it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "simulator.log"
    command = [sys.executable, "-m", "simulator", "--port", "0", "--approve-any", "--quiet"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--state", str((folder / "simulator").resolve())],
            cwd=settings.BASE_DIR,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
    try:
        url = _address(process, log)
        with _pointed_at(url):
            yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """A killed run must not leave the books locked. Linux only; elsewhere it stays behind."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        found = ADDRESS.search(log.read_text())
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise NotPrepared(
        f"The simulator did not start: {log.read_text().strip()[-300:] or 'no word'}",
        help="Its requirements are in requirements-simulator.txt; or start it by hand.",
    )


@contextmanager
def _pointed_at(url: str) -> Iterator[None]:
    """For this process only. Workers of the installation keep the address they were given."""
    before = settings.KRA_SIMULATOR_URL, settings.KRA_HOSTS
    settings.KRA_SIMULATOR_URL = url
    settings.KRA_HOSTS = settings.KRA_HOSTS | {
        ("simulator", "direct"): (f"{url}/etims-api", ""),
        ("simulator", "gavaconnect"): (
            f"{url}/etims-oscu/api/v1",
            f"{url}/v1/token/generate?grant_type=client_credentials",
        ),
    }
    try:
        yield
    finally:
        settings.KRA_SIMULATOR_URL, settings.KRA_HOSTS = before
