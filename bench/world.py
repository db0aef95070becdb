"""Where it is measured: a database of its own, and the processes as production starts them."""

import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from bench import cpu
from local.console import Problem
from local.ports import LOOPBACK, free_port
from local.processes import Child, Spec, run_quiet, start

READY_S = 90.0
STOP_S = 60.0
CELERY = ("-m", "celery", "-A", "etims_integration")
# deploy/ starts workers of so many threads.
THREADS_EACH = 10
WORKER_THREADS = 50
# The rate limit is counted as always, but set where it stops nobody; gunicorn recycles nobody.
SETTINGS = {"API_RATE_LIMIT": "1000000000/minute", "WEB_MAX_REQUESTS": "0"}


@dataclass(frozen=True)
class Web:
    port: int
    pid: int


@dataclass(frozen=True)
class World:
    """The environment of what is measured. Everything it starts ends with its `with`."""

    folder: Path
    env: Mapping[str, str]
    simulator_url: str
    simulator_pid: int

    def roots(self, **more: int) -> dict[str, int | None]:
        """The process trees whose CPU counts."""
        return {
            "postgres": postmaster(self.env["DATABASE_URL"]),
            "redis": redis_of(self.env).info("server").get("process_id"),
            "simulator": self.simulator_pid,
            **more,
        }

    @contextlib.contextmanager
    def web(self, database_url: str = "") -> Iterator[Web]:
        port = free_port()
        env = {**self.env, "BIND": f"{LOOPBACK}:{port}"}
        if database_url:
            env["DATABASE_URL"] = database_url
        argv = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"]
        spec = self._spec(f"web-{port}", [*argv, "etims_integration.wsgi:application"], env)
        with running(spec) as child:
            child.wait_ready(
                lambda: answers(f"http://{LOOPBACK}:{port}/health/"), timeout_s=READY_S
            )
            yield Web(port, child.process.pid)

    @contextlib.contextmanager
    def workers(self) -> Iterator[list[int]]:
        """Workers of the usual size, 50 threads in all, and their pids."""
        from etims_integration.celery import app

        count = WORKER_THREADS // THREADS_EACH
        argv = [*CELERY, "worker", "-P", "threads", "-c", str(THREADS_EACH)]
        with contextlib.ExitStack() as stack:
            children = []
            for number in range(count):
                own = [*argv, "-n", f"bench{number}@%h", "--without-gossip", "--without-mingle"]
                spec = self._spec(f"worker-{number}", own, self.env)
                children.append(stack.enter_context(running(spec)))
            children[0].wait_ready(
                lambda: len(app.control.ping(timeout=0.5)) == count, timeout_s=READY_S
            )
            yield [child.process.pid for child in children]

    @contextlib.contextmanager
    def beat(self) -> Iterator[None]:
        schedule = str(self.folder / "beat")
        argv = [*CELERY, "beat", "--schedule", schedule, "--pidfile="]
        with running(self._spec("beat", argv, self.env)):
            yield

    def simulate(self, method: str, path: str, body: Any = None) -> Any:
        """An order to the simulator, or a question."""
        return ask(method, f"{self.simulator_url}/_simulator/{path}", body)

    def latency(self, ms: int) -> None:
        self.simulate("PUT", "latency", {"ms": ms})

    def outage(self, down: bool) -> None:
        self.simulate("PUT", "outage", {"down": down})

    def _spec(self, name: str, argv: list[str], env: Mapping[str, str]) -> Spec:
        return Spec(name, [sys.executable, *argv], self.folder / f"{name}.log", env)


@contextlib.contextmanager
def open_world(folder: Path) -> Iterator[World]:
    """Everything but web and worker; Django is set up in this process."""
    given = dict(os.environ) | SETTINGS
    if redis_of(given).dbsize():
        raise Problem("REDIS_URL names a database that is in use: give an empty one.")
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: redis_of(given).flushdb())
        env = given | {
            "DATABASE_URL": stack.enter_context(own_database(given["DATABASE_URL"], "main")),
            "KRA_SIMULATOR_URL": f"http://{LOOPBACK}:{port}",
        }
        child = stack.enter_context(_simulator(folder, port, env))
        world = World(folder, env, env["KRA_SIMULATOR_URL"], child.process.pid)
        _set_up_django(world)
        yield world
        leave_database()


@contextlib.contextmanager
def _simulator(folder: Path, port: int, env: Mapping[str, str]) -> Iterator[Child]:
    argv = ["-m", "simulator", "--port", str(port), "--state", ":memory:", "--approve-any"]
    spec = Spec("simulator", [sys.executable, *argv, "--quiet"], folder / "simulator.log", env)
    url = f"http://{LOOPBACK}:{port}/_simulator/stats"
    with running(spec) as child:
        child.wait_ready(lambda: answers(url), timeout_s=READY_S)
        yield child


def _set_up_django(world: World) -> None:
    log = world.folder / "migrate.log"
    argv = [sys.executable, "manage.py", "migrate", "--noinput"]
    run_quiet(Spec("migrate", argv, log, world.env))
    os.environ.update({**world.env, "LOG_LEVEL": "ERROR"})
    import django

    django.setup()


def leave_database() -> None:
    from django.db import connections

    connections.close_all()


@contextlib.contextmanager
def running(spec: Spec) -> Iterator[Child]:
    child = start(spec)
    try:
        yield child
    finally:
        child.stop(STOP_S)


@contextlib.contextmanager
def own_database(url: str, purpose: str, template: str = "") -> Iterator[str]:
    """A new database on the given server, dropped in the end; its URL.

    `template` is the URL of one to copy, which nobody may be using.
    """
    name = f"etims_bench_{purpose}_{os.getpid()}"
    copied = f' TEMPLATE "{database_name(template)}"' if template else ""
    run_sql(url, f'CREATE DATABASE "{name}"{copied}')
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        run_sql(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def database_name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def connect(url: str) -> Any:
    return psycopg.connect(url, autocommit=True)


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last one."""
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def postmaster(url: str) -> int | None:
    """The server's first process, when it runs on this machine."""
    connection = connect(url)
    try:
        return cpu.parent_of(connection.info.backend_pid)
    except (OSError, ValueError):
        return None
    finally:
        connection.close()


def redis_of(env: Mapping[str, str]) -> Any:
    return redis.Redis.from_url(env["REDIS_URL"])


def ask(method: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    try:
        ask("GET", url)
    except OSError:
        return False
    return True


def wait_until(is_so: Any, *, seconds: float, what: str, every_s: float = 0.2) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise Problem(f"Gave up after {seconds:.0f} s: {what}.")
        time.sleep(every_s)
