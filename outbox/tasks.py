"""Celery's part: drain a lane, sweep for lanes that nobody rang for, probe a silent host."""

import logging
import math
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


# So often one lane of a process looks whether a fresh sale waits for a thread.
LOOK_EVERY_S = 0.1
# And so long after one has left for a waiting ring in Redis, no other leaves for it.
MAKE_WAY_EVERY_S = 0.5


class Turn:
    """A lane's time on a thread: a slice, longer while nobody waits, shorter for a fresh sale."""

    # The process's next look: the lane whose message ends then looks for all, and leaves at once.
    _looks_at = 0.0

    def __init__(self) -> None:
        self.makes_way = False
        self._slice_ends = time.monotonic() + settings.OUTBOX_SLICE_SECONDS

    def is_over(self) -> bool:
        now = time.monotonic()
        if now >= self._slice_ends:
            self._slice_ends = now + settings.OUTBOX_SLICE_SECONDS
            every_s = settings.OUTBOX_SLICE_SECONDS
            self.makes_way = doorbell.makes_way(doorbell.QUEUES, every_s=every_s)
        elif now >= Turn._looks_at:
            Turn._looks_at = now + LOOK_EVERY_S
            fresh = doorbell.QUEUES[:1]
            self.makes_way = self._is_wanted() or doorbell.makes_way(
                fresh, every_s=MAKE_WAY_EVERY_S
            )
        return self.makes_way or is_stopping()

    def _is_wanted(self) -> bool:
        """Celery may take one task more than it has threads, and nobody sees it in Redis then."""
        return len(state.reserved_requests) > len(state.active_requests)


@shared_task
def drain_lane(lane_id: int) -> None:
    """Drain until the lane rests; one that makes way with more to do goes behind the others."""
    doorbell.answered(lane_id)
    turn, has_rested = Turn(), False
    while drain(lane_id, until=math.inf, stop=turn.is_over):
        # Due although it rested: something came while the lease was given back. Twice over, the
        # lane is held up by what only the next sweep can judge.
        if not due_lanes().filter(pk=lane_id).exists():
            return
        if turn.makes_way or is_stopping():
            doorbell.ring(lane_id, priority=doorbell.BACKLOG)
            if is_stopping():
                # Redis may hand this ring to the worker that leaves, which listens no more: without
                # its key the next sweep rings again.
                doorbell.answered(lane_id)
            return
        if has_rested:
            return
        has_rested = True


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
