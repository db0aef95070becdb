import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from outbox.tasks import is_stopping

from .journal import checkpoints, follower
from .models import Heartbeat
from .retention import pruning as retention
from .webhooks import delivery, pruning

SEND_SECONDS = 20.0


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


@shared_task(expires=30)
def follow_journal() -> None:
    """Enter what has happened since the last look. Runs at once with itself without harm."""
    follower.follow(until=time.monotonic() + settings.JOURNAL_SLICE_SECONDS)


@shared_task(expires=3600)
def checkpoint_journals() -> None:
    """One checkpoint a day for each chain; beat asks every hour, so a missed one is made up for."""
    checkpoints.daily()


@shared_task(expires=10)
def send_webhooks() -> int:
    """Tell the receivers what is due; returns at once when another worker is at it."""
    return delivery.run(until=time.monotonic() + SEND_SECONDS, stop=is_stopping)


@shared_task(expires=300)
def prune_events() -> int:
    return pruning.prune()


@shared_task(expires=3600)
def prune_old() -> None:
    """What the settings call old; the next night goes on where time was up."""
    retention.prune(until=time.monotonic() + settings.PRUNE_SECONDS)
