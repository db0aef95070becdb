"""Celery's part: every night compare our books with KRA's, and close the day."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from .reconciliation import nightly
from .reports.nightly import close_yesterday


@shared_task(expires=300)
def reconcile() -> int:
    """Open what the night asks for, then work on whatever waits, for a while."""
    nightly.open_runs(timezone.now())
    return nightly.go_on(until=time.monotonic() + settings.RECONCILE_SLICE_SECONDS)


@shared_task(expires=3000)
def close_days() -> int:
    """The Z reports of yesterday and before, for the companies that want it so."""
    return close_yesterday(timezone.now())
