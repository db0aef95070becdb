"""Secrets from files, the nightly backup, and the script that makes the secrets: run for real."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from local.paths import ROOT

DEPLOY = ROOT / "deploy"
SHELLCHECK = shutil.which("shellcheck")
SHOWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "POSTGRES_PASSWORD")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    scripts = sorted(DEPLOY.glob("*.sh"))

    done = subprocess.run(
        [str(SHELLCHECK), "-x", *scripts], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


# --- Secrets ---


def start(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The entry point, where "python" says what it was given."""
    program = folder / "python"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    return subprocess.run(
        [str(DEPLOY / "entrypoint.sh"), "manage"],
        env={"PATH": f"{folder}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def given(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {name: lines[name] for name in SHOWN if name in lines}


def test_it_reads_a_secret_from_its_file(tmp_path):
    (tmp_path / "key").write_text("a b$c'd\"e\n")

    done = start(tmp_path, {"SECRET_KEY_FILE": str(tmp_path / "key"), "ENCRYPTION_KEYS": "k"})

    assert given(done) == {"SECRET_KEY": "a b$c'd\"e", "ENCRYPTION_KEYS": "k"}


def test_it_puts_passwords_into_addresses(tmp_path):
    (tmp_path / "postgres").write_text("Pa55-w.rd\n")
    (tmp_path / "redis").write_text("0123abcd")

    done = start(
        tmp_path,
        {
            "DATABASE_URL": "postgres://etims:{POSTGRES_PASSWORD}@postgres:5432/etims?sslmode=require",
            "POSTGRES_PASSWORD_FILE": str(tmp_path / "postgres"),
            "REDIS_URL": "redis://:{REDIS_PASSWORD}@redis:6379/0",
            "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        },
    )

    # The password alone is nobody's business.
    assert given(done) == {
        "DATABASE_URL": "postgres://etims:Pa55-w.rd@postgres:5432/etims?sslmode=require",
        "REDIS_URL": "redis://:0123abcd@redis:6379/0",
    }


def test_it_leaves_a_whole_address_alone(tmp_path):
    url = "postgres://u:p%40ss@db.example.com:25060/etims?sslmode=verify-full"

    assert given(start(tmp_path, {"DATABASE_URL": url})) == {"DATABASE_URL": url}


@pytest.mark.parametrize(
    ("content", "environment", "said"),
    [
        (None, {}, "SECRET_KEY: the file"),
        ("\n", {}, "is empty"),
        ("x", {"SECRET_KEY": "y"}, "both set"),
        ("x", {"DATABASE_URL": "postgres://e:{POSTGRES_PASSWORD}@h/e"}, "letters and digits"),
        (
            "x",
            {
                "DATABASE_URL": "postgres://e:{POSTGRES_PASSWORD}@h/e",
                "POSTGRES_PASSWORD": "a@evil.example.com",
            },
            "letters and digits",
        ),
    ],
)
def test_it_refuses_what_it_cannot_use(tmp_path, content, environment, said):
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)

    done = start(tmp_path, {"SECRET_KEY_FILE": str(file), **environment})

    assert (done.returncode, done.stdout) == (78, "")
    assert said in done.stderr
    assert "evil" not in done.stderr


def test_it_knows_every_secret_of_the_settings():
    files = (ROOT / "etims_integration").glob("settings*.py")
    text = "".join(file.read_text() for file in files)
    secret = re.compile(r'"([A-Z_]*(?:SECRET|SECRET_KEY|_KEYS|TOKEN|PASSPHRASE|PASSWORD))"')

    named = set(secret.findall(text))
    read = (DEPLOY / "secrets.sh").read_text()
    assert {"SECRET_KEY", "ENCRYPTION_KEYS", "BACKUP_PASSPHRASE", "METRICS_TOKEN"} <= named
    assert [name for name in sorted(named) if name not in read] == []


# --- The script that makes them ---


def make(folder: Path, name: str = "pos.example.co.ke") -> subprocess.CompletedProcess[str]:
    places = {"SECRETS_FOLDER": str(folder / "secrets"), "TLS_FOLDER": str(folder / "tls")}
    return subprocess.run(
        [str(DEPLOY / "make_secrets.sh"), name],
        env=os.environ | places,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_makes_secrets_that_the_service_accepts(tmp_path):
    assert make(tmp_path).returncode == 0

    made = {file.name: file.read_text().strip() for file in (tmp_path / "secrets").iterdir()}
    Fernet(made["encryption_keys"])
    assert min(len(made[name]) for name in ("secret_key", "backup_passphrase")) == 64
    assert made["postgres_password"] != made["redis_password"]
    assert made["postgres_password"].isalnum()
    # Closed to people, open to the containers' accounts, which mount single files.
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets/secret_key").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "tls/privkey.pem").stat().st_mode & 0o777 == 0o600


def test_it_never_makes_a_secret_twice(tmp_path):
    make(tmp_path)
    files = [f for folder in ("secrets", "tls") for f in (tmp_path / folder).iterdir()]
    before = {file: file.read_bytes() for file in files}

    again = make(tmp_path)

    assert (again.returncode, again.stdout) == (0, "")
    assert {file: file.read_bytes() for file in files} == before


def test_it_makes_nothing_for_a_name_that_is_none(tmp_path):
    assert make(tmp_path, "/CN=evil").returncode == 1
    assert list(tmp_path.iterdir()) == []


# --- Backups ---

# Writes as manage.py does; "fail" and "differs" as files make it fail.
MANAGE = """#!/bin/sh
echo "$*" >>calls
case $2 in
    backup) [ ! -e fail ] || { rm fail; exit 1; }; echo copy >"$3" ;;
    restore) [ ! -e differs ] ;;
esac
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "python").write_text(MANAGE)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "backups").mkdir()
    return tmp_path


def back_up(site: Path, **environment: str) -> int:
    env = {"PATH": f"{site}:/usr/bin:/bin", **environment}
    argv = [str(DEPLOY / "backup.sh"), "backups"]
    return subprocess.run(argv, cwd=site, env=env, check=False).returncode


def copies(site: Path) -> list[Path]:
    return sorted((site / "backups").glob("*.backup"))


def old_copy(site: Path, name: str, days: float) -> None:
    file = site / "backups" / name
    file.write_text("old")
    then = time.time() - days * 86_400
    os.utime(file, (then, then))


def test_it_names_a_copy_once_it_is_proven(site):
    assert back_up(site) == 0

    (copy,) = copies(site)
    assert copy.read_text() == "copy\n"
    new = f"backups/{copy.stem}.new"
    calls = (site / "calls").read_text().splitlines()
    assert calls == [f"manage.py backup {new}", f"manage.py restore --verify {new}"]


def test_a_copy_that_differs_is_no_copy(site):
    (site / "differs").touch()
    old_copy(site, "etims-1.backup", 90)

    assert back_up(site) == 1
    assert [copy.name for copy in copies(site)] == ["etims-1.backup"]


def test_it_removes_old_copies_after_a_new_one(site):
    old_copy(site, "etims-1.backup", 9)
    old_copy(site, "etims-2.backup", 6)
    old_copy(site, "keys.etims", 90)

    assert back_up(site, BACKUP_DAYS="7", BACKUP_VERIFY="false") == 0

    names = [copy.name for copy in copies(site)]
    assert len(names) == 2
    assert "etims-1.backup" not in names
    assert (site / "backups/keys.etims").exists()


def run_nightly(site: Path, done: str, **environment: str) -> None:
    """Until the calls say so; then it must stop at once."""
    env = {"PATH": f"{site}:/usr/bin:/bin", **environment}
    argv = [str(DEPLOY / "backup.sh"), "--nightly", "backups"]
    process = subprocess.Popen(argv, cwd=site, env=env, start_new_session=True)
    until = time.monotonic() + 20
    calls = site / "calls"
    while not (calls.exists() and re.search(done, calls.read_text())):
        assert time.monotonic() < until, "it made no copy"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(5)


def test_it_begins_with_a_copy_and_tries_again(site):
    (site / "fail").touch()

    run_nightly(site, "verify", BACKUP_RETRY_SECONDS="0.1")

    assert (site / "calls").read_text().count("manage.py backup") == 2


def test_it_makes_one_at_its_hour(site):
    old_copy(site, "etims-1.backup", 0.1)
    soon = time.strftime("%H:%M:%S", time.gmtime(time.time() + 2))

    run_nightly(site, "verify", BACKUP_AT=soon)

    assert (site / "calls").read_text().count("manage.py backup") == 1
