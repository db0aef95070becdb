"""PostgreSQL and Redis together: given by the environment, kept, or thrown away."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local import binaries
from local.console import step
from local.paths import LOGS, cluster_home, state_folder
from local.postgres import start_postgres
from local.processes import Child
from local.redis import start_redis

SCRATCH_PREFIX = "scratch-"


@dataclass(frozen=True)
class Servers:
    """Two URLs, and the children behind them; a server given by the environment has none."""

    database_url: str
    redis_url: str
    children: list[Child]

    @property
    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextlib.contextmanager
def kept_servers() -> Iterator[Servers]:
    """Durable servers whose data outlives the run."""
    state = state_folder()
    with _running(cluster_home(), state, logs=LOGS, throwaway=False) as servers:
        yield servers


@contextlib.contextmanager
def scratch_servers(*, durable: bool = False) -> Iterator[Servers]:
    """Servers for one run; as fast as can be unless `durable` asks for real disk writes."""
    with (
        scratch_folder() as folder,
        _running(folder, folder, logs=folder, throwaway=not durable) as servers,
    ):
        yield servers


@contextlib.contextmanager
def _running(pg_home: Path, redis_home: Path, *, logs: Path, throwaway: bool) -> Iterator[Servers]:
    children: list[Child] = []
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    try:
        if not database_url:
            log = logs / "postgres.log"
            child, database_url = start_postgres(pg_home, log=log, throwaway=throwaway)
            children.append(child)
            step(f"PostgreSQL {binaries.find_postgres().version} is up")
        if not redis_url:
            log = logs / "redis.log"
            child, redis_url = start_redis(redis_home, log=log, throwaway=throwaway)
            children.append(child)
            step(f"Redis ({binaries.find_redis().program.name}) is up")
        yield Servers(database_url, redis_url, children)
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for one run. What killed runs left behind is swept first."""
    home = cluster_home()
    sweep(home)
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=home))
    folder.chmod(0o755)  # PostgreSQL's account walks through it
    with _locked(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(home: Path) -> None:
    """Remove the scratch folders whose run is gone: nobody holds their lock."""
    for folder in home.glob(f"{SCRATCH_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(folder):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
