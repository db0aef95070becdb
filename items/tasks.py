"""Celery's part: keep KRA's lists fresh, and let every device ask for what KRA wants asked."""

import logging

from celery import shared_task
from django.db.models import Min, QuerySet

from companies.models import Company
from devices.calls import HostNotConfigured
from devices.models import Device
from kra.errors import KRAError

from . import services
from .models import Item
from .services.introduction import strangers

log = logging.getLogger(__name__)


@shared_task(expires=3600)
def sync_codes() -> None:
    """Pull the lists through one active device of each environment."""
    for device in _one_per_environment():
        _pull(device)
    for device in strangers().select_related("company", "branch").order_by("pk"):
        _pull(device)
    for company in Company.objects.filter(items__in=Item.objects.drafts()).distinct():
        services.enqueue_drafts(company)


def _active() -> QuerySet[Device]:
    return Device.objects.filter(state=Device.State.ACTIVE).select_related("company", "branch")


def _one_per_environment() -> QuerySet[Device]:
    firsts = _active().values("company__environment").annotate(first=Min("pk")).values("first")
    return _active().filter(pk__in=firsts).order_by("pk")


def _pull(device: Device) -> None:
    try:
        services.sync_codes(device)
    except (KRAError, HostNotConfigured) as error:
        # The next run asks again; the old lists stay in use.
        log.warning("code lists not pulled", extra={"device": device.pk, "code": error.code})
