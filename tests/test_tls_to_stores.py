"""TLS to PostgreSQL and Redis, as managed ones offer it: asked for by the address alone."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from local.paths import ROOT
from monitoring.backups import programs

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")

# Every client of Redis that this service has.
ASK = """
import django; django.setup()
from companies.throttling import TokenThrottle
from etims_integration.celery import app
from monitoring import health
from outbox import doorbell

def tried(name, ask):
    try:
        print(name, bool(ask()))
    except Exception as error:
        print(name, "refused", type(error).__name__)

def celery():
    with app.connection() as broker:
        broker.ensure_connection(max_retries=1, timeout=3)
        return broker.default_channel.client.ping()

def checked():
    pings = []
    health._ask_redis(pings)
    return pings

tried("celery", celery)
tried("doorbell", lambda: doorbell._connection().ping())
tried("limits", lambda: TokenThrottle._limiter().storage.check())
tried("health", checked)
"""
CLIENTS = ("celery", "doorbell", "limits", "health")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem"]
        + ["-out", folder / "ca.pem"],
        check=True,
        capture_output=True,
    )
    return folder


def copy(source: Any, target: Any) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
    except OSError:
        pass
    finally:
        for each in (source, target):
            each.close()


def serve(listener: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    """End TLS, and hand on to the real Redis."""
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            outer = context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            continue
        inner = socket.create_connection(target)
        for ends in ((outer, inner), (inner, outer)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


@pytest.fixture
def sealed_redis(certificate: Path) -> Iterator[str]:
    """The address of the Redis of these tests, behind TLS."""
    parts = urlsplit(os.environ["REDIS_URL"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
    target = (str(parts.hostname), int(parts.port or 6379))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, context, target), daemon=True)
        thread.start()
        who = parts.netloc.rpartition("@")[0]
        netloc = f"{who}{who and '@'}localhost:{listener.getsockname()[1]}"
        yield urlunsplit(("rediss", netloc, parts.path, "", ""))
        listener.shutdown(socket.SHUT_RDWR)


def ask(url: str, **environment: str) -> dict[str, str]:
    env = os.environ | {"REDIS_URL": url, "LOG_LEVEL": "CRITICAL", **environment}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@needs_openssl
def test_every_client_of_redis_trusts_the_named_authority(sealed_redis, certificate):
    answers = ask(f"{sealed_redis}?ssl_ca_certs={certificate / 'ca.pem'}")

    assert answers == dict.fromkeys(CLIENTS, "True")


@needs_openssl
def test_no_client_of_redis_trusts_a_stranger(sealed_redis):
    answers = ask(sealed_redis)

    # These two say nothing but "no".
    assert answers.pop("health") == "False"
    assert answers.pop("limits") == "False"
    assert answers == {"celery": "refused OperationalError", "doorbell": "refused ConnectionError"}


@needs_openssl
def test_a_provider_that_signs_for_itself_is_used_when_told(sealed_redis):
    answers = ask(sealed_redis, REDIS_TLS_VERIFY="false")

    assert answers == dict.fromkeys(CLIENTS, "True")


def test_postgresql_is_asked_for_a_certificate():
    """The server of these tests has none, and is refused for it."""
    separator = "&" if "?" in os.environ["DATABASE_URL"] else "?"
    url = f"{os.environ['DATABASE_URL']}{separator}sslmode=verify-full&sslrootcert=system"
    code = "import django; django.setup(); from django.db import connection as c; c.connect()"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "server does not support SSL" in done.stderr


def test_copies_are_made_over_the_same_tls(monkeypatch):
    options = {"sslmode": "verify-full", "sslrootcert": "/etc/ssl/a b.pem", "connect_timeout": 5}
    own = {**connection.settings_dict, "PASSWORD": "p@ss", "OPTIONS": options}
    monkeypatch.setattr(programs, "connection", SimpleNamespace(settings_dict=own))

    url = programs.own_url()
    given = programs.environment_for(url)

    assert url.endswith("?sslmode=verify-full&sslrootcert=%2Fetc%2Fssl%2Fa%20b.pem")
    assert (given["PGSSLMODE"], given["PGSSLROOTCERT"]) == ("verify-full", "/etc/ssl/a b.pem")
    assert given["PGPASSWORD"] == "p@ss"
