import time

from celery import shared_task
from django.utils import timezone

from outbox.tasks import is_stopping

from .models import Heartbeat
from .webhooks import delivery, pruning

SEND_SECONDS = 20.0


@shared_task(expires=30)
def heartbeat() -> None:
    """Beat scheduled it and a worker ran it: one execution proves both."""
    now = timezone.now()
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=now) for name in Heartbeat.Name.values],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


@shared_task(expires=10)
def send_webhooks() -> int:
    """Tell the receivers what is due; returns at once when another worker is at it."""
    return delivery.run(until=time.monotonic() + SEND_SECONDS, stop=is_stopping)


@shared_task(expires=300)
def prune_events() -> int:
    return pruning.prune()
