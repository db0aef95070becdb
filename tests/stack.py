"""The processes of an installation, started as in production, on a test's database.

Redis is the test's own: what tasks are waiting there belongs to nobody else.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from django.db import connection

from local.redis import start_redis
from monitoring.journal.follower import lag_s
from outbox.models import Transmission

from .simulator import Simulator

# Short enough that a test sees a lease end; a call still has its time.
QUICK = {
    "SWEEP_SECONDS": "0.5",
    "PROBE_SECONDS": "2",
    "JOURNAL_SECONDS": "1",
    "WEBHOOK_SECONDS": "1",
    "OUTBOX_BACKOFF_BASE": "0.2",
    "KRA_CONNECT_TIMEOUT": "1",
    "KRA_READ_TIMEOUT": "2",
    "OUTBOX_LEASE_MARGIN": "1",
    "WEB_WORKERS": "1",
    "WEB_THREADS": "8",
    "LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
}
# A machine that tests several things at once takes its time.
START_S = 120.0
CELERY = [sys.executable, "-m", "celery", "-A", "etims_integration"]
GUNICORN = [
    *(sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"),
    "etims_integration.wsgi:application",
]


def database_url(host: str = "", port: int = 0, name: str = "") -> str:
    """Of the test's database, or of the same behind another address."""
    c = connection.settings_dict
    where = f"{host or c['HOST']}:{port or c['PORT']}"
    return f"postgres://{c['USER']}:{c['PASSWORD']}@{where}/{name or c['NAME']}"


@dataclass
class Stack:
    """Starts processes, knows them by name, and ends them."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        within: Sequence[str] = (),
        inherit: int | None = None,
        **more: str,
    ) -> subprocess.Popen[bytes]:
        """`within` goes before the command; `inherit` is a socket that systemd would pass on."""
        environment = os.environ | QUICK | dict(self.environment) | more
        passed: tuple[int, ...] = ()
        if inherit is not None:
            passed = (inherit,)
            # What systemd does: the first passed file is 3, and LISTEN_PID is the program's own.
            script = f'exec 3<&{inherit}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
            command = ["bash", "-c", script, "bash", *command]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*within, *command],
                env=environment,
                cwd=more.get("CODE"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
            )
        self.processes[name] = process
        return process

    def web(self, name: str = "web", **more: Any) -> subprocess.Popen[bytes]:
        return self.start(name, GUNICORN, **more)

    def worker(self, name: str = "worker", **more: Any) -> subprocess.Popen[bytes]:
        argv = ["worker", "-n", f"{name}@%h", "-P", "threads", "-c", "4", "-l", "INFO"]
        return self.start(name, [*CELERY, *argv, "--without-gossip", "--without-mingle"], **more)

    def beat(self, name: str = "beat", **more: Any) -> subprocess.Popen[bytes]:
        schedule = self.folder / f"schedule-{name}"
        return self.start(
            name, [*CELERY, "beat", "--schedule", str(schedule), "--pidfile="], **more
        )

    def ask_to_stop(self, name: str) -> subprocess.Popen[bytes]:
        process = self.processes.pop(name)
        process.terminate()
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-20_000:]

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running(simulator: Simulator, **environment: str) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="etims-stack-") as folder:
        home = Path(folder)
        redis, redis_url = start_redis(home, log=home / "redis.log", throwaway=True)
        known = {
            "DATABASE_URL": database_url(),
            "REDIS_URL": redis_url,
            "KRA_SIMULATOR_URL": simulator.url,
        }
        stack = Stack(home, known | environment)
        try:
            yield stack
        finally:
            stack.stop()
            redis.stop()


def wait_until(
    is_so: Callable[[], object], seconds: float, what: Callable[[], object] = str
) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, what()
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return (
            urllib3.request("GET", f"{url}/health/live/", timeout=1.0, retries=False).status < 500
        )
    except urllib3.exceptions.HTTPError:
        return False


def listener() -> tuple[socket.socket, str]:
    """A socket as systemd holds it: who comes while nobody accepts waits."""
    held = socket.create_server(("127.0.0.1", 0), backlog=1024)
    return held, f"http://127.0.0.1:{held.getsockname()[1]}"


def wait_until_settled(seconds: float) -> None:
    """Nothing is owed to KRA any more, and the journal holds what happened."""

    def left() -> object:
        return list(Transmission.objects.open().values_list("kind", "status", "error_code")[:20])

    wait_until(lambda: not Transmission.objects.open().exists(), seconds, left)
    wait_until(lambda: lag_s() == 0, seconds, lambda: f"journal: {lag_s()} s behind")


@dataclass
class Till:
    """Sells at a steady pace, each sale on a connection of its own, from whoever answers first."""

    urls: Sequence[str]
    secret: str
    device: str
    prefix: str
    timeout: float = 15.0
    # A till that asks again after a lost answer, with the same reference: as docs/api.md has it.
    tries: int = 1
    answers: list[tuple[str, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def sell(self, n: int, wait: int = 0) -> None:
        body = {
            "device": self.device,
            "reference": f"{self.prefix}-{n}",
            "lines": [{"item": "FIT", "quantity": "1"}],
        }
        headers = {"Authorization": f"Token {self.secret}", "Content-Type": "application/json"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        for attempt in range(self.tries):
            url = self.urls[(n + attempt) % len(self.urls)]
            try:
                answer = urllib3.PoolManager(retries=False, timeout=self.timeout).request(
                    "POST", f"{url}/api/sales/", body=json.dumps(body), headers=headers
                )
            except urllib3.exceptions.HTTPError as error:
                self.failures.append(f"{body['reference']}: {error!r}"[:200])
                continue
            if answer.status in (200, 201, 202):
                self.answers.append((str(body["reference"]), answer.status))
                return
            self.failures.append(f"{body['reference']}: {answer.status} {answer.data[:200]!r}")

    @property
    def sold(self) -> list[str]:
        return [reference for reference, _ in self.answers]

    def sell_steadily(self, pause: float, enough: threading.Event, wait: int = 0) -> None:
        n = 0
        while not enough.is_set():
            self.sell(n, wait=wait * (n % 3 == 0))
            n += 1
            time.sleep(pause)
