"""One look: find, remember, tell. Nothing of it needs Celery, Redis or the web processes."""

import json
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Q
from django.utils import timezone

from monitoring.models import Alert, AlertNotice

from . import book, certificates, channels, rules, surroundings
from .findings import Finding, Findings
from .wording import Notice

log = logging.getLogger(__name__)

# Longer than a channel may take; then another watchdog may try.
CLAIM = timedelta(minutes=2)
STATEMENT_TIMEOUT_MS = 20_000


def look() -> bool:
    """One tick. False: the database does not answer (people were told, if they could be)."""
    now = timezone.now()
    try:
        hosts = certificates.watched_hosts()
        # Before the transaction: it talks to others.
        outside = certificates.certificates(hosts, now)
        findings = find(now, outside)
        is_mine = book.note(findings, channels.configured(), now=now)
        back_again(now)
        # Two watchdogs: what this one did not write it may still tell; the claims keep them apart.
        tell_all(timezone.now())
    except Error as error:
        connection.close()
        log.error("watchdog: the database refuses (%s)", type(error).__name__)
        database_down(now)
        return False
    if not is_mine:
        log.info("watchdog: another one is at work")
    return True


def find(now: datetime, outside: list[Finding]) -> Findings:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_TIMEOUT_MS])
        findings = rules.look(now)
        slow: list[Callable[[datetime], list[Finding]]] = [
            surroundings.database_latency,
            surroundings.database_size,
        ]
        for rule in slow:
            findings.found += rule(now)
    findings.found += [*surroundings.disk(now), *outside]
    return findings


# --- Telling ---


def tell_all(now: datetime) -> None:
    for channel in channels.configured():
        tell_channel(channel, now)


def tell_channel(channel: str, now: datetime) -> None:
    """Claim, send, record. A death in between has it told again, which is better than never."""
    mine = _claim(channel, now)
    if not mine:
        return
    pks = [row.pk for row in mine]
    rows = AlertNotice.objects.filter(pk__in=pks)
    try:
        channels.tell(channel, [_notice(row) for row in mine], key=f"alert_{pks[0]}_{pks[-1]}")
    except channels.NotTold as error:
        log.warning("watchdog: %s was not told (%s)", channel, error)
        rows.update(claimed_until=None, error=str(error)[:300])
    else:
        rows.update(sent_at=timezone.now(), error="")


def _claim(channel: str, now: datetime) -> list[AlertNotice]:
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    owed = AlertNotice.objects.filter(free, channel=channel, sent_at=None, dropped_at=None)
    rows = owed.select_related("alert", "alert__company", "alert__device").defer(
        *("alert__company__consumer_key", "alert__company__consumer_secret"),
        *("alert__device__key", "alert__device__init_answer"),
    )
    mine = []
    for row in rows.order_by("id")[:500]:
        is_quiet = channels.is_quiet(channel, row.alert.severity, now)
        claim = AlertNotice.objects.filter(free, pk=row.pk, sent_at=None, dropped_at=None)
        if not is_quiet and claim.update(claimed_until=now + CLAIM, attempts=row.attempts + 1):
            mine.append(row)
    return mine


def _notice(row: AlertNotice) -> Notice:
    alert = row.alert
    return Notice(
        row.event,
        alert.rule,
        alert.severity,
        alert.title,
        alert.since,
        alert.company.pin if alert.company else "",
        alert.device.serial if alert.device else "",
        alert.pk,
    )


# --- Without a database ---


def database_down(now: datetime) -> None:
    """Told from a file beside us: rows cannot remember it, and a timer starts us anew each time."""
    state = _state()
    since = datetime.fromisoformat(state["since"]) if state else now
    told = dict(state.get("told", {}))
    patience = timedelta(seconds=settings.ALERT_DATABASE_DOWN_SECONDS)
    if now - since >= patience:
        for channel in channels.configured():
            if _is_time(told.get(channel), now) and _tell_of_database("opened", channel, since):
                told[channel] = now.isoformat()
    _keep({"since": since.isoformat(), "told": told})


def _is_time(told: str | None, now: datetime) -> bool:
    if told is None:
        return True
    hours = settings.ALERT_REMIND_HOURS
    return bool(hours) and now - datetime.fromisoformat(told) >= timedelta(hours=hours)


def back_again(now: datetime) -> None:
    """Whoever was told of it hears that it is over, and a row keeps it for later."""
    state = _state()
    if not state:
        return
    since, told = datetime.fromisoformat(state["since"]), dict(state.get("told", {}))
    if told and not state.get("kept"):
        finding = Finding("database_down", "database", TITLE, since, "critical")
        alert = book.open_alert(finding, since)
        Alert.objects.filter(pk=alert.pk).update(seen_at=now, recovered_at=now)
    left = {
        channel: at for channel, at in told.items()
        if not _tell_of_database("recovered", channel, since)
    }  # fmt: skip
    _keep({"since": state["since"], "told": left, "kept": True} if left else {})


TITLE = "The database does not answer: nothing can be sold."


def _tell_of_database(event: str, channel: str, since: datetime) -> bool:
    try:
        channels.tell(channel, [Notice(event, "database_down", "critical", TITLE, since)])
    except channels.NotTold as error:
        log.warning("watchdog: %s was not told (%s)", channel, error)
        return False
    return True


def _state() -> dict[str, Any]:
    try:
        kept = json.loads(Path(settings.WATCHDOG_STATE).read_text())
        datetime.fromisoformat(kept["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(kept)


def _keep(state: dict[str, Any]) -> None:
    path = Path(settings.WATCHDOG_STATE)
    if not state:
        path.unlink(missing_ok=True)
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        # Nobody else's file, and no link to one: /tmp belongs to everybody.
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(state))
        fresh.replace(path)
    except OSError as error:
        log.error("watchdog: cannot remember that the database is down (%s)", error.strerror)
