"""What beat does: open yesterday's runs once the night has come, and go on with what waits."""

import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from devices.models import Device
from kra.times import NAIROBI
from outbox import breaker
from outbox.models import host_of
from sales.models import ReconciledDay, Reconciliation

from .runs import advance, start

BY = "every night"


def open_runs(now: datetime) -> int:
    """A run for each active device and each of the last days that nobody has compared yet."""
    local = now.astimezone(NAIROBI)
    if local.hour < settings.RECONCILE_FROM_HOUR:
        return 0
    opened = 0
    devices = Device.objects.filter(state=Device.State.ACTIVE).select_related("company", "branch")
    for back in range(1, settings.RECONCILE_CATCH_UP_DAYS + 1):
        day = local.date() - timedelta(days=back)
        compared = ReconciledDay.objects.filter(day=day).values("device")
        waiting = Reconciliation.objects.filter(
            finished_at=None, first_day__lte=day, last_day__gte=day
        ).values("device")
        new = Q(initialised_at=None) | Q(initialised_at__date__lte=day)
        for device in devices.filter(new).exclude(pk__in=compared).exclude(pk__in=waiting):
            if not breaker.is_open(host_of(device)):
                start(device, day, day, by=BY)
                opened += 1
    return opened


def go_on(*, until: float) -> int:
    """Advance every unfinished run that is due and that nobody holds. Returns how many it met."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = Reconciliation.objects.filter(free, finished_at=None, not_before__lte=now)
    runs = list(due.order_by("not_before", "id").values_list("pk", flat=True)[:1000])
    for met, pk in enumerate(runs):
        if time.monotonic() >= until:
            return met
        advance(pk, until=until)
    return len(runs)
