"""Celery's part: compare our books with KRA's every night."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from .emails.sending import send_due
from .models import emails_are_on
from .reconciliation import nightly

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
