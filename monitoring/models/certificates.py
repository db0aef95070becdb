"""What was last seen of the certificates of others."""

from django.db import models


class SeenCertificate(models.Model):
    """One TLS host, and until when its certificate is good. Kept, so that a watchdog that a timer
    starts anew each minute does not ask KRA each minute.
    """

    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    # None: never reached, or not valid; then `refusal` says why.
    ends_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=300, blank=True)
    ask_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "port"], name="certificate_host_once")
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
