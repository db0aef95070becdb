"""The files that only containers read, proven without a container engine."""

import ast
import contextlib
import http.client
import http.server
import importlib
import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from local.paths import ROOT
from local.ports import free_port

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
REQUIRED = ("ALLOWED_HOSTS", "PUBLIC_URL")
SECRETS = (
    *("postgres_password", "redis_password", "secret_key", "encryption_keys"),
    "backup_passphrase",
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


# --- Compose ---


def test_it_opens_no_port_but_the_proxy_s(compose):
    open_ports = [name for name, service in compose["services"].items() if "ports" in service]

    assert open_ports == ["nginx"]


def test_it_reads_every_secret_from_a_file(compose):
    assert tuple(compose["secrets"]) == SECRETS
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"${{SECRETS_FOLDER:-./secrets}}/{name}"}
    for service in compose["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]
            assert not re.search(r"SECRET_KEY$|_PASSWORD$|_KEYS$|PASSPHRASE$", name)


def test_it_refuses_to_start_without_names(compose):
    environment = compose["services"]["web"]["environment"]

    assert all(environment[name].startswith(f"${{{name}:?") for name in REQUIRED)
    assert environment["DEBUG"] == "false"


def test_only_the_backup_knows_the_passphrase(compose):
    knows = [
        name
        for name, service in compose["services"].items()
        if "backup_passphrase" in service.get("secrets", [])
    ]

    assert knows == ["backup"]


def test_it_ships_no_default_secret():
    lines = (ROOT / ".env.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")

    assert {values[name] for name in REQUIRED} == {""}
    assert [
        name for name in values if re.search(r"PASSWORD|SECRET_KEY|_KEYS|PASSPHRASE", name)
    ] == []


def test_its_example_names_only_what_is_read():
    text = (ROOT / ".env.example").read_text()
    read = (ROOT / "docker-compose.yml").read_text()
    read += (ROOT / "etims_integration/settings.py").read_text()
    read += "".join(file.read_text() for file in DEPLOY.glob("*.*"))

    names = re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)
    assert [name for name in names if name not in read] == []


def test_it_bounds_every_service(compose):
    for name, service in compose["services"].items():
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert "no-new-privileges:true" in service["security_opt"], name
        # PostgreSQL's image changes its account by itself.
        assert name == "postgres" or (service["read_only"] and service["cap_drop"] == ["ALL"]), name


def test_it_keeps_the_stores_from_the_world(compose):
    open_networks = {name for name, net in compose["networks"].items() if not net}
    outside = {
        name
        for name, service in compose["services"].items()
        if open_networks.intersection(service["networks"])
    }

    assert outside == {"web", "worker", "watchdog", "nginx", "simulator"}


def test_it_speaks_tls_unless_told_otherwise(compose):
    assert "${NGINX_CONF:-etims-tls.conf}" in compose["services"]["nginx"]["volumes"][0]


def test_it_watches_the_health_of_every_service(compose):
    own = {name for name, service in compose["services"].items() if "healthcheck" in service}
    from_image = {"web", "simulator"}  # theirs is in the Dockerfile

    assert own | from_image == compose["services"].keys()


def test_it_starts_the_application_after_its_migrations(compose):
    for name in ("web", "worker", "beat", "watchdog", "backup"):
        needed = compose["services"][name]["depends_on"]
        assert needed["migrate"]["condition"] == "service_completed_successfully"
    assert (
        compose["services"]["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    )


def test_it_starts_the_simulator_only_on_demand(compose):
    with_profile = [name for name, service in compose["services"].items() if "profiles" in service]

    assert with_profile == ["simulator"]


def composer() -> list[str]:
    """The command that reads compose files, when there is one; it needs no engine for that."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    return []


@pytest.mark.skipif(not composer(), reason="docker compose is not installed")
@pytest.mark.parametrize(("value", "accepted"), [("x", True), ("", False)])
def test_it_passes_compose_s_own_check(tmp_path, value, accepted):
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name in REQUIRED))
    environment = {name: os.environ[name] for name in os.environ if name not in REQUIRED}

    done = subprocess.run(
        [*composer(), "config", "--quiet"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is accepted, done.stderr
    assert accepted or "set it in .env" in done.stderr


# --- Image ---


def test_it_copies_every_package_into_the_image():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {*project["tool"]["importlinter"]["root_packages"], "etims_integration"}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:].rstrip("/") for line in lines if line.startswith("!")}

    assert packages <= allowed
    assert "*" in lines
    assert not {".env", ".local", "local", "tests"} & allowed


def test_it_names_only_files_that_exist():
    lines = (ROOT / ".dockerignore").read_text().splitlines()

    assert [line for line in lines if line.startswith("!") and not (ROOT / line[1:]).exists()] == []


def test_it_never_runs_as_root():
    users = [
        line.split()[1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("USER ")
    ]

    assert users[0] == users[-1] == "etims"


# --- Entry point ---


def run_role(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point where every program only says how it was called."""
    (folder / "deploy").mkdir(exist_ok=True)
    for name in ("gunicorn", "celery", "python", "deploy/backup.sh"):
        program = folder / name
        program.write_text('#!/bin/sh\necho ${0##*/} "$@"\n')
        program.chmod(0o755)
    return subprocess.run(
        [str(DEPLOY / "entrypoint.sh"), *arguments],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


WEB = "gunicorn -c deploy/gunicorn.conf.py etims_integration.wsgi:application"
CELERY = "celery -A etims_integration"
WORKER = f"{CELERY} worker -P threads -c 10 --without-gossip --without-mingle"
SIMULATOR = "python -m simulator --host 0.0.0.0 --port 9800 --state /var/lib/etims/simulator"


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        ((), WEB),
        (("watchdog",), "python manage.py watchdog"),
        (("backup",), "backup.sh /var/lib/etims/backups"),
        (("backups",), "backup.sh --nightly /var/lib/etims/backups"),
        (("web", "--bind=:9"), f"{WEB} --bind=:9"),
        (("worker",), WORKER),
        (("beat",), f"{CELERY} beat --schedule /tmp/beat-schedule --pidfile="),
        (("migrate",), "python manage.py migrate --noinput"),
        (("manage", "check"), "python manage.py check"),
        (("simulator",), f"{SIMULATOR} --approve-any"),
    ],
)
def test_it_starts_the_program_of_a_role(tmp_path, arguments, called):
    done = run_role(tmp_path, *arguments)

    assert (done.returncode, done.stdout.strip()) == (0, called)


def test_it_refuses_an_unknown_role(tmp_path):
    done = run_role(tmp_path, "waiter")

    assert (done.returncode, done.stdout) == (64, "")
    assert "no role waiter" in done.stderr


def test_it_gives_compose_only_roles_that_exist(compose, tmp_path):
    commands = [
        service["command"]
        for service in compose["services"].values()
        if "etims-" in service["image"]
    ]

    assert len(commands) == 7
    assert {run_role(tmp_path, *command).returncode for command in commands} == {0}


# --- Gunicorn ---


def test_it_waits_longer_than_a_sale_may_wait(monkeypatch):
    for name in ("BIND", "WEB_WORKERS", "WEB_THREADS"):
        monkeypatch.delenv(name, raising=False)
    settings = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))

    assert settings["bind"] == "0.0.0.0:8000"
    assert (settings["workers"], settings["threads"]) == (2, 8)
    assert min(settings["timeout"], settings["graceful_timeout"]) > 30


def test_it_uses_only_settings_that_gunicorn_knows():
    known = importlib.import_module("gunicorn.config").KNOWN_SETTINGS
    tree = ast.parse((DEPLOY / "gunicorn.conf.py").read_text())
    named = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert named <= {setting.name for setting in known}


# --- Health check ---


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers 200, or the status asked for in the path, or not; remembers what it was sent."""

    seen: list[dict[str, str]] = []

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        last = self.path.strip("/").rpartition("/")[2]
        if last == "no-answer":
            return
        self.send_response(int(last) if last.isdigit() else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def backend() -> Iterator[int]:
    Backend.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def run_health_check(port: int, path: str) -> int:
    argv = ["python3", str(DEPLOY / "healthcheck.py"), str(port), path]
    hosts = {"ALLOWED_HOSTS": "*, .example.com,localhost"}
    return subprocess.run(argv, env=os.environ | hosts, check=False).returncode


def test_it_reports_health_under_a_name_the_server_accepts(backend):
    assert run_health_check(backend, "/health/") == 0
    assert Backend.seen[0]["host"] == "example.com"


def test_it_reports_a_server_that_is_not_well(backend):
    assert run_health_check(backend, "/health/503") == 1
    assert run_health_check(free_port(), "/health/") == 1


# --- nginx ---

MAIN = """
{user}
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/default.conf;
}}
"""


def lay_out(folder: Path, conf: str, changes: dict[str, str]) -> list[str]:
    """The folders as in the container, on other ports; the command line that reads them."""
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(user=user))
    (folder / "conf.d").mkdir()
    shutil.copytree(DEPLOY / "nginx", folder / "etims")
    for source in (*(folder / "etims").glob("*.inc"), DEPLOY / "nginx" / conf):
        text = source.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        is_server = source.suffix == ".conf"
        (folder / "conf.d/default.conf" if is_server else source).write_text(text)
    return [str(NGINX), "-p", str(folder), "-c", "nginx.conf"]


@pytest.fixture
def certificate(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
        + ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True,
        capture_output=True,
    )


@needs_nginx
@pytest.mark.parametrize("conf", ["etims.conf", "etims-tls.conf"])
@pytest.mark.usefixtures("certificate")
def test_it_passes_nginx_s_own_check(tmp_path, conf):
    # It opens them, and the real ones need root.
    ports = {f"listen {port}": f"listen 127.0.0.1:{free_port()}" for port in (80, 443)}
    done = subprocess.run(
        [*lay_out(tmp_path, conf, ports), "-t"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.fixture
def proxy(tmp_path: Path, backend: int) -> Iterator[str]:
    with serving(tmp_path, backend) as url:
        yield url


@contextmanager
def serving(
    folder: Path, backend: int, changes: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    port = free_port()
    changes = {
        "listen 80": f"listen 127.0.0.1:{port}",
        "web:8000": f"127.0.0.1:{backend}",
        **changes,
    }
    log = (folder / "out.log").open("wb")
    process = subprocess.Popen(lay_out(folder, "etims.conf", changes), stdout=log, stderr=log)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nginx did not start")


def status_of(url: str, **options: Any) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **options), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@needs_nginx
def test_it_hands_a_request_to_the_application(proxy):
    headers = {"X-Request-ID": "till-1", "X-Forwarded-Proto": "https"}

    assert status_of(f"{proxy}/api/sales/", headers=headers) == 200
    seen = Backend.seen[-1]
    assert seen["host"] == proxy.removeprefix("http://")
    assert seen["x-request-id"] == "till-1"
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "https")


@needs_nginx
def test_it_logs_requests_without_receipt_links(proxy, tmp_path):
    status_of(f"{proxy}/r/the-key/?a=secret", headers={"X-Request-ID": "till-2"})
    status_of(f"{proxy}/api/sales/?a=secret")

    # nginx answers first and writes its line afterwards.
    until = time.monotonic() + 10
    log = tmp_path / "out.log"
    while len(log.read_text().splitlines()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["path"] for line in lines] == ["/r/...", "/api/sales/"]
    assert lines[0]["request_id"] == "till-2"


@needs_nginx
def test_it_replaces_a_harmful_request_id(proxy):
    status_of(f"{proxy}/", headers={"X-Request-ID": "a b;c"})

    assert len(Backend.seen[-1]["x-request-id"]) == 32


def refusal_of(url: str, **options: Any) -> tuple[int, str, Message]:
    """Status, code and headers of what is refused in the API's one shape."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, **options), timeout=10).close()
    with caught.value as answer:
        error = json.load(answer)["error"]
        headers = answer.headers
    assert set(error) == {"code", "message", "detail", "help"}
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-ID"]
    # Each has its place in docs/errors.md.
    assert error["code"] in json.loads((ROOT / "local/error_words.json").read_text())
    return caught.value.code, error["code"], headers


@needs_nginx
def test_it_refuses_a_body_over_four_megabytes(proxy):
    assert status_of(f"{proxy}/api/sales/", data=b"x" * 4_000_000) == 200
    refused = refusal_of(f"{proxy}/api/sales/", data=b"x" * 4_300_000)
    assert refused[:2] == (413, "too_large")


@needs_nginx
def test_it_says_when_the_application_does_not_answer(proxy):
    status, code, headers = refusal_of(f"{proxy}/api/no-answer/", data=b"{}")

    assert (status, code, headers["Retry-After"]) == (503, "service_unavailable", "5")


@needs_nginx
def test_it_sends_nobody_to_a_name_or_port_of_its_own(proxy):
    connection = http.client.HTTPConnection(proxy.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/api", headers={"Host": "pos.example.co.ke"})
        answer = connection.getresponse()

    assert (answer.status, answer.headers["Location"]) == (301, "/api/")


@needs_nginx
def test_it_says_when_one_address_asks_too_often(tmp_path, backend):
    limit = {"set $etims_web": "limit_req zone=etims_address; set $etims_web", "50r/s": "1r/m"}
    with serving(tmp_path, backend, limit) as proxy:
        assert status_of(f"{proxy}/api/sales/") == 200
        status, code, headers = refusal_of(f"{proxy}/api/sales/")

    assert (status, code, headers["Retry-After"]) == (429, "throttled", "1")


@needs_nginx
def test_it_keeps_metrics_to_itself(proxy):
    assert refusal_of(f"{proxy}/metrics")[:2] == (403, "metrics_refused")
    assert status_of(f"{proxy}/nginx-health") == 200
    assert Backend.seen == []
