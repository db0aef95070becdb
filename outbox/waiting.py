"""`Prefer: wait=N`: the request itself delivers its lane, head first, until its message is settled.

The delivery runs in a thread of the web process, so that the answer to the till leaves on time
whatever KRA does; the thread finishes its call and records it. If the process is killed, the
lane's lease runs out and a worker goes on (delivery.py).
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Event

from django.db import close_old_connections
from django.utils import timezone

from devices.models import Device

from . import breaker, doorbell, statements
from .delivery import drain
from .models import Lane, Status, Transmission, host_of

log = logging.getLogger(__name__)

THREADS = 16
LOOK_EVERY_S = 0.015
# While our own thread delivers: it wakes us, unless somebody took the lane from it.
LOOK_BESIDE_EVERY_S = 0.25

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="deliver")


def wait_for(row: Transmission, seconds: float) -> Transmission:
    """Deliver until the row is settled or `seconds` are over; return the row as it is then."""
    until = time.monotonic() + seconds
    lane_id, pk = row.lane_id, row.pk
    lane = statements.read_lane(lane_id)
    woken = Event()
    turn: Future[None] | None = None
    is_settled = not _may_come(lane) or statements.is_settled(pk)
    while not is_settled and (left := until - time.monotonic()) > 0:
        if turn is None or turn.done():
            woken.clear()
            turn = _pool.submit(copy_context().run, _take_turn, lane_id, pk, (until, woken))
        woken.wait(min(left, LOOK_BESIDE_EVERY_S))
        is_settled = statements.is_settled(pk)
        if turn.done() and not is_settled:
            breaker.forget()  # another process may have noticed by now that KRA is silent
            if turn.exception() is not None or _is_held(lane_id) or not _may_come(lane):
                break  # a worker tries again; or a person must decide; or KRA is silent
            # Somebody else drains the lane, or its head waits for its next attempt.
            time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))
    return statements.read_row(pk)


def _may_come(lane: Lane) -> bool:
    """Nothing will be sent while KRA is down or the device is stopped: answer the till at once."""
    is_active = lane.device.state == Device.State.ACTIVE
    return is_active and not breaker.is_open(host_of(lane.device))


def _is_held(lane_id: int) -> bool:
    head = statements.head_of(lane_id)
    return head is not None and head.status == Status.CONFLICT


def _take_turn(lane_id: int, pk: int, waiter: tuple[float, Event]) -> None:
    until, woken = waiter

    def is_settled() -> bool:
        settled = statements.is_settled(pk)
        if settled:
            woken.set()
        return settled

    try:
        # Whoever rang while we held the lane found it taken: ring for them.
        if drain(lane_id, until=until, stop=is_settled) and _has_work(lane_id):
            doorbell.ring(lane_id)
    except Exception:
        log.exception("delivery for a waiting till failed", extra={"lane": lane_id})
        raise
    finally:
        woken.set()
        close_old_connections()


def wait_for_lane(lane_id: int, seconds: float) -> None:
    """Deliver what the lane holds, or watch somebody else do it, for at most `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and _has_work(lane_id):
        if not drain(lane_id, until=until):
            time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))


def _has_work(lane_id: int) -> bool:
    """Whether the lane's head could move now, whoever moves it."""
    head = statements.head_of(lane_id)
    if head is None or head.status == Status.CONFLICT or head.not_before > timezone.now():
        return False
    return _may_come(statements.read_lane(lane_id))
