"""Celery's part: keep the list of branches fresh."""

import logging

from celery import shared_task

from companies.models import Company
from kra.errors import KRAError

from .branches.services import sync_branches
from .calls import HostNotConfigured
from .models import Device
from .services import first_active

log = logging.getLogger(__name__)


@shared_task(expires=3600)
def sync_all_branches() -> None:
    """Once a day, company by company, through one active device of each."""
    active = Device.objects.filter(state=Device.State.ACTIVE)
    for company in Company.objects.filter(is_active=True, devices__in=active).distinct():
        device = first_active(company)
        if device is not None:
            _sync(device)


def _sync(device: Device) -> None:
    try:
        sync_branches(device)
    except (KRAError, HostNotConfigured) as error:
        # The next day asks again; what is known stays.
        log.warning("branches not synced", extra={"device": device.pk, "code": error.code})
