"""Children that never outlive the supervisor, not even when it is killed with SIGKILL."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from local.console import Problem
from local.paths import ROOT

STOP_TIMEOUT_S = 15.0
POLL_S = 0.02
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Account(NamedTuple):
    name: str
    uid: int
    gid: int


def plain_account() -> Account | None:
    """Somebody who is not root, when we are root; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "postgres", "daemon"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise Problem("PostgreSQL refuses root, and there is no account nobody, postgres or daemon.")


@dataclass(frozen=True)
class Spec:
    """One program to start."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A started program with its log."""

    def __init__(self, spec: Spec, process: subprocess.Popen[bytes]) -> None:
        self.spec = spec
        self.process = process

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_ready(self, is_ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return once is_ready() holds; a Problem when the child dies or time is up."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_running:
                code = self.process.returncode
                raise Problem(f"{self.spec.name} ended at once (code {code}).", log=self.spec.log)
            if time.monotonic() > deadline:
                name = self.spec.name
                raise Problem(f"{name} was not ready after {timeout_s:.0f} s.", log=self.spec.log)
            time.sleep(POLL_S)

    def finish(self) -> None:
        """Wait for the end of a short program; a Problem with its log when it failed."""
        code = self.process.wait()
        if code:
            raise Problem(f"{self.spec.name} failed (code {code}).", log=self.spec.log)

    def ask_to_stop(self) -> None:
        if self.is_running:
            self.process.send_signal(self.spec.stop_signal)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        self.ask_to_stop()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(spec: Spec) -> Child:
    """Start a program in a session of its own: Ctrl-C reaches it only through us."""
    spec.log.parent.mkdir(parents=True, exist_ok=True)
    account = spec.account
    with spec.log.open("ab") as log:
        process = subprocess.Popen(
            list(spec.argv),
            cwd=spec.cwd,
            env=dict(spec.env) or None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent(spec.stop_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    return Child(spec, process)


def run_foreground(argv: Sequence[str], *, env: Mapping[str, str]) -> int:
    """Run a program on this terminal and return its exit code; Ctrl-C is for it alone."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=ROOT,
            env=dict(env),
            preexec_fn=_die_with_parent(signal.SIGTERM, take_interrupts=True),
        )
        code = _wait_or_stop(process)
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _wait_or_stop(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except BaseException:  # a signal to us: the program goes first, then its servers
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
        raise


def _die_with_parent(how: signal.Signals, *, take_interrupts: bool = False) -> Callable[[], None]:
    # Runs between fork and exec, after the change of account, which would clear the setting.
    parent = os.getpid()

    def prepare() -> None:
        if take_interrupts:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return prepare


def run_quiet(spec: Spec) -> None:
    """Run a short program to its end; a Problem with its log when it fails."""
    child = start(spec)
    try:
        child.finish()
    finally:
        child.stop()
