"""What rows say of the things beside the sales: journal, webhooks, backups."""

from datetime import datetime, timedelta

from django.conf import settings

from devices.models import Device
from monitoring.journal import follower
from monitoring.models import Endpoint, Heartbeat, Severity
from monitoring.webhooks.services import BY_A_PERSON
from sales.models import Receipt

from .findings import Finding


def journal_late(now: datetime) -> list[Finding]:
    """Of the devices whose chains stand still; or of the follower, when it has read nothing."""
    before = now - timedelta(minutes=settings.ALERT_JOURNAL_MINUTES)
    late = follower.late_devices(before)
    devices = Device.objects.filter(pk__in=[pk for pk, _ in late]).select_related("company")
    known = {row.pk: row for row in devices.only("serial", "company__pin", "company_id")}
    found = [
        Finding(
            "journal_late",
            f"device:{pk}",
            f"Company {known[pk].company.pin}, device {known[pk].serial}: the journal has entered "
            f"nothing since {since:%d/%m/%Y %H:%M} UTC."[:300],
            since,
            Severity.CRITICAL,
            company=known[pk].company_id,
            device=pk,
        )
        for pk, since in late
    ]
    oldest = follower.oldest_unread()
    if oldest is not None and oldest < before:
        title = "The journal's follower has read no table for too long."
        found.append(Finding("journal_late", "follower", title, oldest, Severity.CRITICAL))
    return found


def webhook_disabled(now: datetime) -> list[Finding]:
    """By us, after 410 or days of failures; what a person switched off is as he wants it."""
    rows = Endpoint.objects.filter(state=Endpoint.State.DISABLED).exclude(state_reason=BY_A_PERSON)
    return [
        Finding(
            "webhook_disabled",
            f"webhook:{row.pk}",
            # Its address may hold a key: the company finds it by its number.
            f"Company {row.company.pin}: webhook {row.pk} is told nothing any more. "
            f"{row.state_reason}"[:300],
            row.failing_since or now,
            company=row.company_id,
            device=row.device_id,
        )
        for row in rows.select_related("company").only(
            "state_reason", "failing_since", "device_id", "company_id", "company__pin"
        ).order_by("pk")[:200]
    ]  # fmt: skip


def backup_old(now: datetime) -> list[Finding]:
    """Before the first receipt there is nothing to lose."""
    hours = settings.ALERT_BACKUP_HOURS
    if not hours:
        return []
    newest = Heartbeat.objects.filter(name=Heartbeat.Name.BACKUP).first()
    first = Receipt.objects.order_by("pk").values_list("created_at", flat=True).first()
    since = newest.at if newest else first
    if since is None or since > now - timedelta(hours=hours):
        return []
    told = f"The newest backup is of {since:%d/%m/%Y %H:%M} UTC." if newest else "There is none."
    title = f"No backup was finished for {hours:g} hours. {told}"
    return [Finding("backup_old", "backup", title, since, Severity.CRITICAL)]
