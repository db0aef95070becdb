"""How long a message waits before its next attempt. The wait is on the row, never in Celery."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from kra.errors import KRAError


def next_attempt(attempts: int, error: KRAError) -> datetime:
    return timezone.now() + backoff(attempts, at_least=error.retry_after or 0.0)


def backoff(attempts: int, *, at_least: float = 0.0) -> timedelta:
    """Exponential with full jitter, capped; KRA's own Retry-After is the floor."""
    ceiling = min(
        settings.OUTBOX_BACKOFF_CAP, settings.OUTBOX_BACKOFF_BASE * 2 ** min(attempts - 1, 20)
    )
    return timedelta(seconds=at_least + random.uniform(min(0.2, ceiling), ceiling))
