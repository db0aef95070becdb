"""Certificates of KRA's hosts and our own: asked a few times a day, by whichever watchdog comes."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings

from companies.models import Company
from monitoring.models import SeenCertificate, Severity

from .findings import Finding

TIMEOUT_S = 5.0
EVERY = timedelta(hours=6)
# Whoever could not be reached is asked again sooner.
UNREACHED_EVERY = timedelta(minutes=30)


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
    """Outside of any transaction: it talks to others. What nobody watches any more is forgotten."""
    rows = {(row.host, row.port): row for row in SeenCertificate.objects.all()}
    gone = [row.pk for address, row in rows.items() if address not in hosts]
    SeenCertificate.objects.filter(pk__in=gone).delete()
    found = []
    for host, port in sorted(hosts):
        row = rows.get((host, port))
        if row is None or row.ask_at <= now:
            row = _ask(host, port, row, now)
        found += _findings(row, now)
    return found


def _ask(host: str, port: int, before: SeenCertificate | None, now: datetime) -> SeenCertificate:
    """Whoever cannot be reached says nothing new about its certificate: the last word stands."""
    ends_at = before.ends_at if before else None
    refusal = before.refusal if before else ""
    again = now + EVERY
    try:
        ends_at, refusal = _ends(host, port), ""
    except ssl.SSLCertVerificationError as error:
        ends_at, refusal = None, error.verify_message[:200]
    except (OSError, ValueError):
        again = now + UNREACHED_EVERY
    row, _ = SeenCertificate.objects.update_or_create(
        host=host,
        port=port,
        defaults={"ends_at": ends_at, "refusal": refusal, "ask_at": again},
    )
    return row


def _findings(row: SeenCertificate, now: datetime) -> list[Finding]:
    if row.refusal:
        title = f"The certificate of {row.host} is not valid: {row.refusal}."[:300]
        return [Finding("certificate", str(row), title, now, Severity.CRITICAL)]
    if row.ends_at is None:
        return []
    days = (row.ends_at - now).total_seconds() / 86_400
    if days > settings.ALERT_EXPIRY_DAYS:
        return []
    ended = f"in {int(days)} days" if days > 0 else "it is over"
    title = f"The certificate of {row.host} ends on {row.ends_at:%d/%m/%Y} ({ended})."[:300]
    return [Finding("certificate", str(row), title, now)]


def _ends(host: str, port: int) -> datetime:
    context = ssl.create_default_context(cafile=settings.ALERT_CA_FILE or None)
    with (
        socket.create_connection((host, port), TIMEOUT_S) as raw,
        context.wrap_socket(raw, server_hostname=host) as secured,
    ):
        told = secured.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
