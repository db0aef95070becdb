"""What only a traditional server reads: units, nginx, the installer. No systemd runs here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.paths import ROOT

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
SERVICES = ["web", "worker@1", "beat", "watchdog", "backup"]
# Lower is tighter; systemd calls 10 unsafe.
MOST_EXPOSED = 3.0
ANALYZE = shutil.which("systemd-analyze")
SHELLCHECK = shutil.which("shellcheck")
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks to systemd like a server on which the installer has run."""
    root = tmp_path_factory.mktemp("server")
    shutil.copytree(UNITS, root / "etc/systemd/system")
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    for name in ("gunicorn", "celery", "python"):
        program = root / "opt/etims/current/.venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", program)
    shutil.copytree(DEPLOY / "server", root / "opt/etims/current/deploy/server")
    return root


def analyze(server: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(ANALYZE), *arguments, f"--root={server}"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
def test_systemd_understands_every_unit(server):
    names = [f"etims-{name}.service" for name in SERVICES]

    done = analyze(
        server, "verify", "etims.target", "etims-web.socket", "etims-backup.timer", *names
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little(server, name):
    done = analyze(server, "security", "--offline=yes", f"etims-{name}.service")

    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < MOST_EXPOSED


def test_no_unit_holds_a_secret():
    texts = "".join(file.read_text() for file in UNITS.rglob("etims*") if file.is_file())

    assert not re.search(r"(SECRET|PASSWORD|KEYS|PASSPHRASE|TOKEN)=", texts)
    assert (
        "EnvironmentFile=/etc/etims/etims.env"
        in (UNITS / "etims-.service.d/10-common.conf").read_text()
    )


def test_each_process_of_the_documentation_has_a_unit():
    commands = "".join(file.read_text() for file in UNITS.glob("*.service"))

    for command in (
        "gunicorn -c deploy/gunicorn.conf.py etims_integration.wsgi:application",
        "celery -A etims_integration worker",
        "celery -A etims_integration beat",
        "manage.py watchdog",
    ):
        assert command in commands


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", ["install.sh", "backup.sh", "etims"])
def test_the_scripts_hold_no_known_mistake(name):
    argv = [str(SHELLCHECK), str(DEPLOY / "server" / name)]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("_case", "arguments", "said"),
    [
        ("unknown word", ["--frobnicate"], "I do not know --frobnicate"),
        ("no name", [], "--domain NAME"),
        ("no host name", ["--domain", "a b;c"], "is no host name"),
    ],
)
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("apt-get") is None, reason="needs root on Debian"
)
def test_the_installer_refuses_before_it_touches_anything(_case, arguments, said):
    argv = ["bash", str(DEPLOY / "server/install.sh"), *arguments]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)

    assert done.returncode == 1
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_takes_the_server_s_configuration(tmp_path):
    etims = tmp_path / "etims"
    shutil.copytree(DEPLOY / "nginx", etims)
    log = tmp_path / "access.log"
    own = (DEPLOY / "server/web.inc").read_text()
    (etims / "web.inc").write_text(own.replace("/var/log/nginx/etims.access.log", str(log)))
    _self_signed(tmp_path / "certificates")
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ include {etims}/etims-tls.conf; }}\n"
    )

    done = subprocess.run(
        [str(NGINX), "-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "limit_req zone=etims_address" in own


def _self_signed(folder: Path) -> None:
    folder.mkdir()
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    argv += ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(argv, check=True, capture_output=True)
