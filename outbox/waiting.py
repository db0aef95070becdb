"""`Prefer: wait=N`: the request itself delivers its lane, head first, until its message is settled.

The delivery runs in a thread of the web process, so that the answer to the till leaves on time
whatever KRA does; the thread finishes its call and records it. If the process is killed, the
lane's lease runs out and a worker goes on (delivery.py).
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from threading import Event

from django.db import close_old_connections
from django.utils import timezone

from . import breaker, doorbell, statements
from .delivery import drain, may_send
from .models import Status, Transmission

log = logging.getLogger(__name__)

THREADS = 16
LOOK_EVERY_S = 0.015
# While our own thread delivers: it wakes us, unless somebody took the lane from it.
LOOK_BESIDE_EVERY_S = 0.25

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="deliver")


def wait_for(row: Transmission, seconds: float) -> Transmission:
    """Deliver until the row is settled or `seconds` are over; return the row as it is then."""
    until = time.monotonic() + seconds
    end = timezone.now() + timedelta(seconds=seconds)
    lane_id, pk = row.lane_id, row.pk
    breaker.forget()  # another process may have noticed by now that KRA is silent
    woken = Event()
    turn: Future[None] | None = None
    is_over = not _can_move(lane_id, end) or statements.is_settled(pk)
    while not is_over and (left := until - time.monotonic()) > 0:
        if turn is None or turn.done():
            woken.clear()
            turn = _pool.submit(copy_context().run, _take_turn, lane_id, pk, (until, woken))
        woken.wait(min(left, LOOK_BESIDE_EVERY_S))
        is_over = statements.is_settled(pk)
        if turn.done() and not is_over:
            if turn.exception() is not None or not _can_move(lane_id, end):
                break  # a worker tries again; or the lane stands still for longer than that
            # Somebody else drains the lane, or it goes on in a moment.
            time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))
    return statements.read_row(pk)


def _can_move(lane_id: int, by: datetime) -> bool:
    """Whether the lane's head may be sent by then, whoever does it. Not while KRA is down, the
    device is stopped or a person must decide.
    """
    head = statements.head_of(lane_id)
    if head is None or head.status == Status.CONFLICT or head.not_before > by:
        return False
    return may_send(statements.read_lane(lane_id), by)


def _take_turn(lane_id: int, pk: int, waiter: tuple[float, Event]) -> None:
    until, woken = waiter

    def is_settled() -> bool:
        settled = statements.is_settled(pk)
        if settled:
            woken.set()
        return settled

    try:
        # Whoever rang while we held the lane found it taken: ring for them.
        if drain(lane_id, until=until, stop=is_settled) and _can_move(lane_id, timezone.now()):
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
    while time.monotonic() < until and _can_move(lane_id, timezone.now()):
        if not drain(lane_id, until=until):
            time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))
