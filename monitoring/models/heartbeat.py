"""Signs of life."""

from django.db import models

from .oversight import ActionRequest, AuditEvent

__all__ = ["ActionRequest", "AuditEvent", "Heartbeat"]


class Heartbeat(models.Model):
    """When one part of the installation last proved that it lives."""

    class Name(models.TextChoices):
        WORKER = "worker"
        BEAT = "beat"
        WATCHDOG = "watchdog"

    name = models.CharField(max_length=10, primary_key=True, choices=Name.choices)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(name__in=["worker", "beat", "watchdog"]), name="heartbeat_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
