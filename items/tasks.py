"""Celery's part: keep KRA's lists fresh, and let every device ask for what KRA wants asked."""

import logging
from collections.abc import Callable

from celery import shared_task
from django.db.models import F, Min, QuerySet

from companies.models import Company, Environment
from devices.calls import HostNotConfigured
from devices.models import Device
from kra.errors import KRAError, OutcomeUnknown, Unavailable
from outbox import breaker
from outbox.models import host_of

from . import services
from .models import Item
from .services.imports import pull_imports
from .services.introduction import strangers

log = logging.getLogger(__name__)


# How many devices of an environment are tried in turn: one may be refused, or have no host.
TRIES = 3


@shared_task(expires=1500)
def sync_codes() -> None:
    """Pull what is due through one active device of each environment."""
    for environment in Environment.values:
        _pull_due(environment)
    for device in strangers().select_related("company", "branch").order_by("pk"):
        _attempt(services.sync_codes, device)
    for company in Company.objects.filter(items__in=Item.objects.drafts()).distinct():
        services.enqueue_drafts(company)


def _pull_due(environment: str) -> None:
    active = Device.objects.filter(state=Device.State.ACTIVE, company__environment=environment)
    for device in active.select_related("company", "branch").order_by("pk")[:TRIES]:
        if _attempt(services.sync_due, device):
            return


@shared_task(expires=3600)
def sync_imports() -> None:
    """Fetch the import lines of every branch, those first that were asked longest ago: a run that
    is cut short goes on where it stopped.
    """
    firsts = _active().values("branch").annotate(first=Min("pk")).values("first")
    asked = F("branch__import_cursor__asked_at").asc(nulls_first=True)
    devices = _active().filter(pk__in=firsts, company__is_active=True)
    for device in devices.order_by(asked, "-branch__is_head_office", "pk"):
        if not breaker.is_open(host_of(device)):
            pull_imports(device)


def _active() -> QuerySet[Device]:
    return Device.objects.filter(state=Device.State.ACTIVE).select_related("company", "branch")


def _attempt(pull: Callable[[Device], object], device: Device) -> bool:
    """False when it makes sense to ask through another device."""
    try:
        pull(device)
    except (Unavailable, OutcomeUnknown) as error:
        # The next run asks again; the old lists stay in use.
        log.warning("code lists not pulled", extra={"device": device.pk, "code": error.code})
    except (KRAError, HostNotConfigured) as error:
        log.warning("code lists refused", extra={"device": device.pk, "code": error.code})
        return False
    return True
