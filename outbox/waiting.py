"""`Prefer: wait=N`: the request itself delivers its lane, head first, until its message is settled.

The delivery runs in a thread of the web process, so that the answer to the till leaves on time
whatever KRA does; the thread finishes its call and records it. If the process is killed, the
lane's lease runs out and a worker goes on (delivery.py).
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.db import close_old_connections

from . import doorbell
from .delivery import drain
from .models import Lane, Transmission
from .queries import due_lanes, why_waiting

THREADS = 16
LOOK_EVERY_S = 0.03

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="deliver")


def wait_for(row: Transmission, seconds: float) -> Transmission:
    """Deliver until the row is settled or `seconds` are over; return the row as it is then."""
    return _wait(row.lane_id, row.pk, seconds)


def _wait(lane_id: int, pk: int, seconds: float) -> Transmission:
    until = time.monotonic() + seconds
    turn: Future[None] | None = None
    while True:
        row = Transmission.objects.get(pk=pk)
        left = until - time.monotonic()
        if row.is_settled or left <= 0 or (turn is None and _is_hopeless(lane_id)):
            break
        if turn is None or turn.done():
            turn = _pool.submit(_take_turn, lane_id, pk, until)
        wait([turn], timeout=min(left, LOOK_EVERY_S))
        if turn.done():
            # Somebody else drains the lane, or its head waits for its next attempt.
            row = Transmission.objects.get(pk=pk)
            if not row.is_settled:
                time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))
    if due_lanes().filter(pk=lane_id).exists():
        doorbell.ring(lane_id)
    return row


def _is_hopeless(lane_id: int) -> bool:
    """Nothing will be sent while KRA is down or the device is stopped: answer the till at once."""
    lane = Lane.objects.select_related("device__company").get(pk=lane_id)
    return why_waiting(lane) in ("kra_down", "device")


def _take_turn(lane_id: int, pk: int, until: float) -> None:
    def is_settled() -> bool:
        return Transmission.objects.get(pk=pk).is_settled

    try:
        drain(lane_id, until=until, stop=is_settled)
    finally:
        close_old_connections()


def wait_for_lane(lane_id: int, seconds: float) -> None:
    """Deliver what the lane holds, for at most `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and due_lanes().filter(pk=lane_id).exists():
        drain(lane_id, until=until)
