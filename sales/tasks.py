"""Celery's part: every night compare our books with KRA's, and close the day."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from .emails.sending import send_due
from .models import emails_are_on
from .reconciliation import nightly
from .reports.nightly import close_yesterday

EMAILS_SLICE_S = 60.0


@shared_task(expires=300)
def reconcile() -> int:
    """Open what the night asks for, then work on whatever waits, for a while."""
    nightly.open_runs(timezone.now())
    return nightly.go_on(until=time.monotonic() + settings.RECONCILE_SLICE_SECONDS)


@shared_task(expires=30)
def send_emails() -> int:
    """Send the receipts that are owed by mail."""
    return send_due(until=time.monotonic() + EMAILS_SLICE_S) if emails_are_on() else 0


@shared_task(expires=3000)
def close_days() -> int:
    """The Z reports of yesterday and before, for the companies that want it so."""
    return close_yesterday(timezone.now())
