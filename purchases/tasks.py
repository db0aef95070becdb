"""Celery's part: ask a few times a day what suppliers have declared."""

from celery import shared_task

from companies.models import Branch
from devices.models import Device

from .syncing import sync_branches


@shared_task(expires=3600)
def sync_purchases() -> int:
    """Ask for every branch that has an active device; returns how many invoices were new."""
    active = Device.objects.filter(state=Device.State.ACTIVE, company__is_active=True)
    branches = Branch.objects.filter(pk__in=active.values("branch")).order_by("pk")
    return sum(one.new for one in sync_branches(branches))
