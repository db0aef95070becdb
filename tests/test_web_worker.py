"""Kept-alive connections spread over the processes, and none of them keeps a thread to itself."""

import contextlib
import http.client
import os
import runpy
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from etims_integration.web_worker import FairWorker

ROOT = Path(__file__).resolve().parent.parent
APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def port(tmp_path):
    """Where two processes serve an application that answers with its own process id."""
    (tmp_path / "answers_pid.py").write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))
    argv = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2"]
    argv += ["-k", settings["worker_class"], "--threads", "4", "--no-control-socket"]
    argv += ["--keep-alive", "30", "answers_pid:app"]
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with subprocess.Popen(argv, env=env, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_both(port)
            yield port
        finally:
            process.terminate()


def wait_for_both(port):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(ConnectionError), contextlib.ExitStack() as stack:
            if len(served_by(port, 20, stack)) == 2:
                return
        time.sleep(0.1)
    raise AssertionError("Two processes did not start.")


def served_by(port, count, stack):
    """Who serves so many connections, all of which stay open: process id → how many."""
    pids = Counter[int]()
    for _ in range(count):
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        stack.enter_context(contextlib.closing(kept))
        kept.request("GET", "/")
        pids[int(kept.getresponse().read())] += 1
    return pids


def test_connections_that_stay_are_shared_out(port):
    fewer = 0
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            served = served_by(port, 16, stack)
            fewer += min(served.values()) if len(served) == 2 else 0

    assert fewer >= 14, "of 24; a busy machine may lose some races"


def test_nobody_waits_long_for_a_connection(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("etims_integration.web_worker.time.sleep", slept.append)
    monkeypatch.setattr("gunicorn.workers.gthread.ThreadWorker.accept", lambda *_: None)
    worker = FairWorker.__new__(FairWorker)
    for worker.nr_conns in (0, 3, 1000):
        worker.accept(None)

    assert slept == pytest.approx([0.0, 0.0003, 0.002])


@pytest.fixture
def worker(monkeypatch):
    """A worker whose thread has just answered on a connection that is kept, three times at most."""
    worker = FairWorker.__new__(FairWorker)
    worker.alive, worker.asked = True, 0
    worker.tpool = ThreadPoolExecutor(1)

    def handle(self, conn):
        self.asked += 1
        return self.asked < 3

    monkeypatch.setattr("gunicorn.workers.gthread.ThreadWorker.handle", handle)
    return worker


@pytest.fixture
def conn():
    """A connection, `sock`, on which the next request has come."""
    till, mine = socket.socketpair()
    with till, mine:
        till.send(b"GET")
        yield SimpleNamespace(sock=mine)


def test_the_next_request_is_answered_by_the_same_thread(worker, conn):
    assert worker.handle(conn) is False
    assert worker.asked == 3


def test_a_thread_goes_when_nothing_comes(worker, conn):
    conn.sock.recv(3)

    assert worker.handle(conn) is True
    assert worker.asked == 1


def test_a_thread_goes_when_somebody_waits_for_it(worker, conn):
    worker.tpool._work_queue.put(None)

    assert worker.handle(conn) is True
    assert worker.asked == 1


def test_a_thread_goes_when_the_worker_stops(worker, conn):
    worker.alive = False

    assert worker.handle(conn) is True
    assert worker.asked == 1
