"""Closing days by itself, where a company has asked for it (Z_NIGHTLY_COMPANIES)."""

import logging
from datetime import date, datetime, timedelta

from django.conf import settings

from devices.models import Device
from sales.errors import DayClosed, EarlierDayOpen, ZBusy
from sales.models import ZReport

from .closing import close_day
from .day import last_zs, open_days, uncounted
from .subject import day_of, midnight

BY = "every night"
# A device that nobody closed for longer catches up with the next looks.
MOST_DAYS = 40
log = logging.getLogger(__name__)


def close_yesterday(now: datetime) -> int:
    """Close what is open up to yesterday, day by day in order. Returns how many Zs it made."""
    yesterday = day_of(now) - timedelta(days=1)
    devices = Device.objects.filter(company__pin__in=settings.Z_NIGHTLY_COMPANIES).exclude(key="")
    made = 0
    for device in devices.select_related("company", "branch"):
        try:
            made += _catch_up(device, yesterday)
        except (DayClosed, EarlierDayOpen, ZBusy) as error:
            # A person was quicker; the next hour looks again.
            log.info("%s: not closed: %s", device.serial, error.message)
    return made


def _catch_up(device: Device, yesterday: date) -> int:
    for made in range(MOST_DAYS):
        last = last_zs([device]).get(device.pk)
        if last is not None and last.day >= yesterday:
            return made
        close_day(device, day=_next_day(device, last, yesterday), by=BY)
    return MOST_DAYS


def _next_day(device: Device, last: ZReport | None, yesterday: date) -> date:
    """The earliest day that was sold on; yesterday when there is none."""
    if last is None:
        return yesterday
    end = midnight(yesterday + timedelta(days=1))
    found = uncounted([device], end)
    return open_days(found, last.day) or yesterday
