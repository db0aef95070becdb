from celery import shared_task
from django.utils import timezone

from .models import Heartbeat


@shared_task(expires=30)
def heartbeat() -> None:
    """Beat scheduled it and a worker ran it: one execution proves both."""
    now = timezone.now()
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=now) for name in (Heartbeat.Name.WORKER, Heartbeat.Name.BEAT)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )
