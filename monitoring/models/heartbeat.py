"""Signs of life."""

from django.db import models

from .oversight import ActionRequest, AuditEvent

__all__ = ["ActionRequest", "AuditEvent", "Heartbeat"]


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def parts(self) -> "HeartbeatQuerySet":
        """Of what runs all the time."""
        return self.exclude(name=Heartbeat.Name.BACKUP).order_by("name")


class Heartbeat(models.Model):
    """When one part of the installation last proved that it lives."""

    class Name(models.TextChoices):
        WORKER = "worker"
        BEAT = "beat"
        WATCHDOG = "watchdog"
        # The newest copy that `manage.py backup` finished.
        BACKUP = "backup"

    name = models.CharField(max_length=10, primary_key=True, choices=Name.choices)
    at = models.DateTimeField()

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(name__in=["worker", "beat", "watchdog", "backup"]),
                name="heartbeat_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
