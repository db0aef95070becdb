"""What the server itself tells: disk, database, certificates. No rows are needed for these."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from companies.models import Company
from monitoring.models import Severity

from .findings import Finding

TLS_TIMEOUT_S = 5.0
CERTIFICATES_EVERY_S = 6 * 3600
_certificates: tuple[float, list[Finding]] = (0.0, [])


def disk(now: datetime) -> list[Finding]:
    return list(_disks(now))


def _disks(now: datetime) -> Iterator[Finding]:
    for path in {str(settings.BASE_DIR), *settings.ALERT_DISK_PATHS}:
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            title = f"The disk of {path} cannot be looked at: {error.strerror}."
            yield Finding("disk", f"disk:{path}", title, now)
            continue
        percent = 100 * usage.free / usage.total
        if percent < settings.ALERT_DISK_FREE_PERCENT:
            is_near = percent < settings.ALERT_DISK_FREE_PERCENT / 2
            severity = Severity.CRITICAL if is_near else Severity.WARNING
            title = f"Only {percent:.1f} % of the disk of {path} is free."
            yield Finding("disk", f"disk:{path}", title, now, severity)


def database_size(now: datetime) -> list[Finding]:
    """PostgreSQL does not tell a client how much room its disk has: the operator does."""
    if not settings.ALERT_DATABASE_GB:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0] / 1e9
    if size < settings.ALERT_DATABASE_GB:
        return []
    title = f"The database has grown to {size:.1f} GB; ALERT_DATABASE_GB is lower."
    return [Finding("disk", "database", title, now)]


def database_latency(now: datetime) -> list[Finding]:
    """The best of three: one slow answer is chance."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        taken.append((time.perf_counter() - started) * 1000)
    if min(taken) < settings.ALERT_DATABASE_MS:
        return []
    title = f"PostgreSQL takes {min(taken):.0f} ms for a question that asks for nothing."
    return [Finding("database_slow", "database", title, now)]


# --- Certificates ---


def forget() -> None:
    global _certificates
    _certificates = (0.0, [])


def watched_hosts() -> set[tuple[str, int]]:
    """KRA's hosts that a company uses, and our own."""
    used = Company.objects.filter(is_active=True).values_list("environment", "profile").distinct()
    urls = [url for key in used for url in settings.KRA_HOSTS.get(key, ())]
    return {address for url in [settings.PUBLIC_URL, *urls] if (address := _address(url))}


def _address(url: str) -> tuple[str, int] | None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    return parts.hostname, parts.port or 443


def certificates(hosts: set[tuple[str, int]], now: datetime) -> list[Finding]:
    """Asked a few times a day, outside of any transaction."""
    global _certificates
    until, found = _certificates
    if time.monotonic() >= until:
        found = [each for host in sorted(hosts) for each in certificate(*host, now=now)]
        _certificates = (time.monotonic() + CERTIFICATES_EVERY_S, found)
    return found


def certificate(host: str, port: int, *, now: datetime) -> list[Finding]:
    """Whoever cannot be reached says nothing about its certificate."""
    try:
        ends = _ends(host, port)
    except ssl.SSLCertVerificationError as error:
        title = f"The certificate of {host} is not valid: {error.verify_message}."[:300]
        return [Finding("certificate", f"{host}:{port}", title, now, Severity.CRITICAL)]
    except OSError:
        return []
    days = (ends - now).total_seconds() / 86_400
    if days > settings.ALERT_EXPIRY_DAYS:
        return []
    title = f"The certificate of {host} ends on {ends:%d/%m/%Y} (in {max(0, int(days))} days)."
    return [Finding("certificate", f"{host}:{port}", title, now)]


def _ends(host: str, port: int) -> datetime:
    context = ssl.create_default_context(cafile=settings.ALERT_CA_FILE or None)
    with (
        socket.create_connection((host, port), TLS_TIMEOUT_S) as raw,
        context.wrap_socket(raw, server_hostname=host) as secured,
    ):
        told = secured.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
