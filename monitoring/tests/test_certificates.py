"""The rule about certificates, against a real TLS server."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import call_command
from django.utils import timezone

from monitoring.alerts import certificates
from monitoring.models import Alert, SeenCertificate

pytestmark = pytest.mark.django_db


def write_certificate(path, ends_at):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends_at - dt.timedelta(days=90))
        .not_valid_after(ends_at)
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextmanager
def tls_server(file):
    """Shakes hands and hangs up; `asked` has one entry for each who came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                asked.append(1)
                try:
                    context.wrap_socket(raw, server_side=True).close()
                except OSError:
                    raw.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.fixture
def serve(tmp_path, settings):
    @contextmanager
    def served(days):
        ends_at = timezone.now() + dt.timedelta(days=days)
        file = write_certificate(tmp_path / "server.pem", ends_at)
        settings.ALERT_CA_FILE = str(file)
        with tls_server(file) as (port, asked):
            settings.PUBLIC_URL, settings.KRA_HOSTS = f"https://127.0.0.1:{port}", {}
            yield port, asked

    return served


def look(now=None):
    return certificates.certificates(certificates.watched_hosts(), now or timezone.now())


@pytest.mark.parametrize(
    ("days", "expected"),
    [(60, ""), (3.5, "(in 3 days)"), (-1, "certificate has expired")],
)
def test_it_tells_what_ends(serve, days, expected):
    with serve(days) as (port, _):
        found = look()

    assert [f.subject for f in found] == ([f"127.0.0.1:{port}"] if expected else [])
    assert all(expected in f.title for f in found)
    assert [f.severity for f in found] == (["critical"] if days < 0 else ["warning"] * len(found))


def test_a_stranger_is_not_trusted(serve, settings):
    with serve(60):
        settings.ALERT_CA_FILE = ""
        (found,) = look()

    assert "not valid" in found.title
    assert found.severity == "critical"


def test_it_asks_a_few_times_a_day_however_often_a_timer_starts_it(serve, settings, tmp_path):
    settings.WATCHDOG_STATE = str(tmp_path / "state")
    settings.ALERT_DISK_FREE_PERCENT, settings.ALERT_DATABASE_MS = 0, 60_000
    with serve(3) as (_, asked):
        for _ in range(4):
            call_command("watchdog", "--once")
        assert len(asked) == 1
        look(timezone.now() + dt.timedelta(hours=7))
        assert len(asked) == 2

    assert [a.rule for a in Alert.objects.open()] == ["certificate"]


def test_who_cannot_be_reached_keeps_his_last_word(serve):
    with serve(3) as (port, _):
        look()
    later = timezone.now() + dt.timedelta(hours=7)

    (found,) = look(later)

    assert found.subject == f"127.0.0.1:{port}"
    row = SeenCertificate.objects.get()
    assert row.ask_at - later == certificates.UNREACHED_EVERY


def test_what_nobody_watches_any_more_is_forgotten(serve, settings):
    with serve(3):
        look()
    settings.PUBLIC_URL = "http://127.0.0.1"

    assert look() == []
    assert not SeenCertificate.objects.exists()
