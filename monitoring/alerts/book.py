"""Findings become alerts, once each; alerts become notices, once per channel and event.

The alert and what is owed about it are written in one transaction, so that a death here forgets
nothing. A transaction's advisory lock lets one watchdog write at a time; the rest is for the next.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef

from monitoring.models import Alert, AlertNotice, Heartbeat, Severity

from .findings import Finding, Findings

# Any number; no other lock of this installation has it.
LOCK = 7_305_811
Event = AlertNotice.Event


def note(findings: Findings, channels: Sequence[str], *, now: datetime) -> bool:
    """False: another watchdog is writing just now."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Of the transaction, not the session: it works behind PgBouncer.
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return False
        known = {(row.rule, row.subject): row for row in Alert.objects.open()}
        for finding in findings.found:
            _note(known.get((finding.rule, finding.subject)), finding, channels, now)
        _recover(known.values(), findings, channels, now)
        _introduce(channels, now)
        _remind(channels, now)
        Heartbeat.objects.update_or_create(name=Heartbeat.Name.WATCHDOG, defaults={"at": now})
        return True


def _note(alert: Alert | None, finding: Finding, channels: Sequence[str], now: datetime) -> None:
    if alert is None:
        _owe(open_alert(finding, now), Event.OPENED, channels, now)
        return
    is_worse = finding.level > alert.level or (
        finding.severity == Severity.CRITICAL and alert.severity == Severity.WARNING
    )
    alert.seen_at, alert.title = now, finding.title
    if is_worse:
        alert.level, alert.severity = finding.level, finding.severity
    alert.save(update_fields=["seen_at", "title", "level", "severity"])
    if is_worse:
        _owe(alert, Event.WORSE, channels, now)


def open_alert(finding: Finding, now: datetime) -> Alert:
    return Alert.objects.create(
        rule=finding.rule,
        subject=finding.subject,
        severity=finding.severity,
        level=finding.level,
        company_id=finding.company,
        device_id=finding.device,
        title=finding.title,
        since=finding.since,
        opened_at=now,
        seen_at=now,
    )


def _recover(
    known: Iterable[Alert], findings: Findings, channels: Sequence[str], now: datetime
) -> None:
    """Not at the first look that misses it: what comes and goes is told once."""
    calm = now - timedelta(seconds=settings.ALERT_CALM_SECONDS)
    for alert in known:
        if alert.rule in findings.unknown or alert.seen_at > calm or alert.seen_at == now:
            continue
        alert.recovered_at = now
        alert.save(update_fields=["recovered_at"])
        told = [name for name in channels if _was_told(alert, name)]
        alert.notices.filter(sent_at=None, dropped_at=None).update(dropped_at=now)
        _owe(alert, Event.RECOVERED, told, now)


def _was_told(alert: Alert, channel: str) -> bool:
    """Or is being told this moment."""
    mine = alert.notices.filter(channel=channel, dropped_at=None)
    return mine.exclude(sent_at=None, claimed_until=None).exists()


def _introduce(channels: Sequence[str], now: datetime) -> None:
    """A channel that was set later hears of what is open already."""
    for name in channels:
        told = AlertNotice.objects.filter(alert=OuterRef("pk"), channel=name)
        for alert in Alert.objects.open().filter(~Exists(told)):
            _owe(alert, Event.OPENED, [name], now)


def _remind(channels: Sequence[str], now: datetime) -> None:
    if not settings.ALERT_REMIND_HOURS:
        return
    since = now - timedelta(hours=settings.ALERT_REMIND_HOURS)
    for name in channels:
        last = Alert.objects.open().filter(notices__channel=name, notices__dropped_at=None)
        for alert in last.annotate(last=Max("notices__created_at")).filter(last__lte=since):
            # Still unsaid: it will be said as it is, not twice.
            if not alert.notices.filter(channel=name, sent_at=None, dropped_at=None).exists():
                _owe(alert, Event.REMINDER, [name], now)


def _owe(alert: Alert, event: str, channels: Sequence[str], now: datetime) -> None:
    AlertNotice.objects.bulk_create(
        [AlertNotice(alert=alert, channel=name, event=event, created_at=now) for name in channels]
    )
