"""Celery's part: compare our books with KRA's every night."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from .reconciliation import nightly


@shared_task(expires=300)
def reconcile() -> int:
    """Open what the night asks for, then work on whatever waits, for a while."""
    nightly.open_runs(timezone.now())
    return nightly.go_on(until=time.monotonic() + settings.RECONCILE_SLICE_SECONDS)
