"""System checks: what is missing before this installation may serve, with the way out."""

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connection
from django.http.request import validate_host

WEAK = ("change", "secret", "default", "example", "insecure", "test")


@register(Tags.security)
def encryption_keys(**_: Any) -> list[CheckMessage]:
    try:
        usable = [Fernet(key) for key in settings.ENCRYPTION_KEYS]
    except ValueError:
        usable = []
    if usable:
        return []
    return [
        Error(
            "ENCRYPTION_KEYS holds no usable key.",
            hint="Make one with: python -c 'from cryptography.fernet import Fernet; "
            "print(Fernet.generate_key().decode())'",
            id="etims.E001",
        )
    ]


@register(Tags.database)
def database_encoding(databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Asked by `migrate`, and by `check --database default`."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    with connection.cursor() as cursor:
        # As bytes: a text would not be one where the encoding is SQL_ASCII.
        cursor.execute("SELECT current_setting('server_encoding')::bytea")
        encoding = bytes(cursor.fetchone()[0]).decode()
    if encoding == "UTF8":
        return []
    return [
        Error(
            f"The database's encoding is {encoding}, not UTF8: names would be damaged.",
            hint="CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'",
            id="etims.E013",
        )
    ]


@register(Tags.security, deploy=True)
def production_settings(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(Error("DEBUG is on.", hint="Unset DEBUG.", id="etims.E002"))
    if len(settings.SECRET_KEY) < 40 or any(w in settings.SECRET_KEY.lower() for w in WEAK):
        found.append(
            Error("SECRET_KEY is short or a default.", hint="Generate 50+ random characters.",
                  id="etims.E003")
        )  # fmt: skip
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error("ALLOWED_HOSTS is empty or open.", hint="List the host names that you serve.",
                  id="etims.E004")
        )  # fmt: skip
    return [*found, *_reached_safely(), *_ages()]


def _reached_safely() -> Iterator[CheckMessage]:
    """How people and tills come here."""
    address = urlsplit(settings.PUBLIC_URL)
    is_https = address.scheme == "https"
    if not settings.ADMIN_TWO_FACTOR:
        yield Error(
            "The admin asks for a password only.", hint="Unset ADMIN_TWO_FACTOR.", id="etims.E005"
        )
    is_known = validate_host(address.hostname or "", settings.ALLOWED_HOSTS)
    if settings.ALLOWED_HOSTS and not is_known:
        yield Error(
            f"PUBLIC_URL names {address.hostname}, which ALLOWED_HOSTS does not.",
            hint="Receipt links would be refused: list that host.",
            id="etims.E006",
        )
    if not is_https:
        yield Warning(
            "PUBLIC_URL is not https: passwords and tokens travel in clear.",
            hint="Put TLS in front (deploy/nginx/etims-tls.conf).",
            id="etims.W001",
        )
    if is_https and not settings.REST_FRAMEWORK["NUM_PROXIES"]:
        yield Warning(
            "TLS ends at a proxy, but NUM_PROXIES is 0: all callers look like that proxy.",
            hint="Set NUM_PROXIES to the number of your own proxies (nginx: 1).",
            id="etims.W002",
        )
    if any("*" in origin for origin in settings.CSRF_TRUSTED_ORIGINS):
        yield Error(
            "CSRF_TRUSTED_ORIGINS holds a wildcard.", hint="Name each origin.", id="etims.E007"
        )


def _ages() -> Iterator[CheckMessage]:
    if settings.FISCAL_KEEP_YEARS < 5:
        hint = "Tax records are kept for at least five years: set 5 or more."
        yield Error("FISCAL_KEEP_YEARS is below 5.", hint=hint, id="etims.E010")
    for name in ("CALL_BODIES_KEEP_DAYS", "DEBUG_KEEP_DAYS"):
        if getattr(settings, name) < 31:
            hint = "Set 31 or more: people still look at calls of the last month."
            yield Error(f"{name} is below 31.", hint=hint, id="etims.E011")
    if settings.EVENTS_KEEP_DAYS * 24 <= settings.WEBHOOK_GIVE_UP_HOURS:
        hint = "Events would be deleted before they are sent: keep them for longer."
        yield Error("EVENTS_KEEP_DAYS is not above WEBHOOK_GIVE_UP_HOURS.", hint=hint,
                    id="etims.E012")  # fmt: skip
