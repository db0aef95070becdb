"""What is wrong, since when, and who has been told."""

from django.db import models
from django.db.models import Q

from companies.models import Company, TenantQuerySet
from devices.models import Device


class Severity(models.TextChoices):
    WARNING = "warning"
    CRITICAL = "critical"


class AlertQuerySet(TenantQuerySet["Alert"]):
    device_path = "device_id"

    def open(self) -> "AlertQuerySet":
        return self.filter(recovered_at=None)


class Alert(models.Model):
    """One trouble, from when it was found until it was over: open once per rule and subject.

    `level` grows when it gets worse (a sale's deadline: 50, 80, 100 %).
    """

    rule = models.CharField(max_length=30)
    subject = models.CharField(max_length=200)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    level = models.PositiveSmallIntegerField(default=0)
    # Whom it concerns; without a company it concerns the installation, and its operator.
    company = models.ForeignKey(Company, on_delete=models.CASCADE, null=True, related_name="alerts")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="alerts")
    title = models.CharField(max_length=300)
    since = models.DateTimeField()
    opened_at = models.DateTimeField()
    # The last look that found it: over when none has for a while.
    seen_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=Q(recovered_at=None), name="alert_open_once"
            ),
            models.CheckConstraint(
                condition=Q(severity__in=Severity.values), name="alert_severity"
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="alert_company"),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.title}"


class AlertNotice(models.Model):
    """One thing that one channel has to be told of an alert: owed until it was said or is moot.

    Whoever says it claims the row first, so that two watchdogs do not say it twice.
    """

    class Event(models.TextChoices):
        OPENED = "opened"
        WORSE = "worse"
        REMINDER = "reminder"
        RECOVERED = "recovered"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=10)
    event = models.CharField(max_length=9, choices=Event.choices)
    created_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # Over before anybody was told, or told by a newer notice.
    dropped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(event__in=["opened", "worse", "reminder", "recovered"]),
                name="alert_notice_event",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "id"],
                name="alert_notice_owed",
                condition=Q(sent_at=None, dropped_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.channel}"
