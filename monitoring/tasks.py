import time

from celery import shared_task
from django.conf import settings

from outbox.tasks import is_stopping

from . import heartbeats
from .journal import checkpoints, follower
from .models import Heartbeat
from .retention import pruning as retention
from .webhooks import delivery, pruning

SEND_SECONDS = 20.0


@shared_task(expires=30)
def heartbeat() -> None:
    """A worker ran it. Beat has a sign of life of its own (heartbeats.py)."""
    heartbeats.note(Heartbeat.Name.WORKER)


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
