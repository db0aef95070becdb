"""Celery's part: drain a lane, sweep for lanes that nobody rang for, probe a silent host."""

import logging
import time

from celery import shared_task
from celery.worker import state
from django.conf import settings

from devices.calls import HostNotConfigured, exchange
from devices.models import Device
from kra.errors import KRAError
from kra.requests import ListRequest
from kra.times import format_instant

from . import breaker, doorbell
from .delivery import drain
from .models import Breaker
from .queries import due_lanes

log = logging.getLogger(__name__)


@shared_task
def drain_lane(lane_id: int) -> None:
    """Drain slice by slice; as soon as others wait, a lane with more to do goes behind them."""
    doorbell.answered(lane_id)
    has_rested = False
    until = time.monotonic() + settings.OUTBOX_SLICE_SECONDS
    while drain(lane_id, until=until, stop=is_stopping):
        rests = time.monotonic() < until and not is_stopping()
        # Due although it rested: something came while the lease was given back. Twice over, the
        # lane is held up by what only the next sweep can judge.
        if not due_lanes().filter(pk=lane_id).exists() or (rests and has_rested):
            return
        if not rests and (is_stopping() or doorbell.is_anybody_waiting()):
            doorbell.ring(lane_id, priority=doorbell.BACKLOG)
            if is_stopping():
                # Redis may hand this ring to the worker that leaves, which listens no more: without
                # its key the next sweep rings again.
                doorbell.answered(lane_id)
            return
        has_rested = rests
        until = time.monotonic() + settings.OUTBOX_SLICE_SECONDS


def is_stopping() -> bool:
    """Whether this worker was asked to leave: a long backlog must not hold it up."""
    asked = (state.should_stop, state.should_terminate)
    return any(each is not None and each is not False for each in asked)


@shared_task(expires=30)
def sweep() -> int:
    """Ring for every lane whose head is due and which no worker holds."""
    lanes = list(due_lanes().values_list("pk", flat=True))
    for lane_id in lanes:
        doorbell.ring(lane_id, priority=doorbell.BACKLOG)
    return len(lanes)


@shared_task(expires=30)
def probe() -> None:
    """Ask each silent host something harmless; when it answers, let the lanes go."""
    for host in Breaker.objects.filter(is_open=True).values_list("host", flat=True):
        if breaker.take_probe(host):
            probe_host(host)


def probe_host(host: str) -> bool:
    environment, profile = host.split("/")
    device = (
        Device.objects.select_related("company", "branch")
        .filter(company__environment=environment, company__profile=profile)
        .filter(state=Device.State.ACTIVE)
        .first()
    )
    if device is None:
        return False
    try:
        exchange(device, "notice_list", _question(device))
    except HostNotConfigured:
        return False
    except KRAError as error:
        if breaker.is_fault(error):
            return False
    lanes = breaker.close(host)
    log.warning("host answers again", extra={"environment": host, "lanes": lanes})
    return True


def _question(device: Device) -> bytes:
    from django.utils import timezone

    return ListRequest(
        tin=device.company.pin,
        bhfId=device.branch.code,
        lastReqDt=format_instant(timezone.now()),
    ).encode()
