"""Ring for a lane: one task per lane, however many messages arrive. Redis may be gone."""

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from etims_integration.celery import app

log = logging.getLogger(__name__)

# A fresh sale goes before the backlog that the sweep rings for (Redis: 0 is the most urgent).
FRESH, BACKLOG = 0, 6
# The lists in which Celery keeps them: kombu writes a priority behind the queue's name.
QUEUES = ("celery", f"celery\x06\x16{BACKLOG}")
RING_AGAIN_AFTER_S = 30
SILENCE_S = 3.0

_held: ContextVar[bool] = ContextVar("held", default=False)
_redis: redis.Redis | None = None
_broken_until = 0.0


def _connection() -> redis.Redis:
    global _redis
    if _redis is None:
        _redis = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.3
        )
    return _redis


@contextmanager
def held(is_held: bool = True) -> Iterator[None]:
    """The caller will deliver by itself: nobody is woken for what it stores meanwhile."""
    token = _held.set(is_held)
    try:
        yield
    finally:
        _held.reset(token)


def ring(lane_id: int, *, priority: int = FRESH) -> bool:
    """Ask a worker to drain the lane, unless one was asked just now. Never raises for Redis."""
    global _broken_until
    if _held.get() or time.monotonic() < _broken_until:
        return False
    try:
        if not _connection().set(_key(lane_id), 1, nx=True, ex=RING_AGAIN_AFTER_S):
            return False
        app.send_task("outbox.tasks.drain_lane", args=[lane_id], priority=priority)
    except (redis.RedisError, OperationalError, OSError):
        # The row is the truth: the sweep rings again when Redis is back.
        _broken_until = time.monotonic() + SILENCE_S
        log.warning("no doorbell: Redis does not answer", extra={"lane": lane_id})
        return False
    return True


def makes_way(queues: Sequence[str], *, every_s: float) -> bool:
    """Whether a lane should give its thread to a ring that waits in one of the `queues`.

    One lane in `every_s` seconds for each that waits: all of them would leave for a single one.
    Without Redis nobody knows of any.
    """
    try:
        waiting = sum(_connection().llen(queue) for queue in queues)
        if not waiting:
            return False
        place = f"etims:way:{queues[-1]}:{secrets.randbelow(waiting)}"
        return bool(_connection().set(place, 1, nx=True, px=max(1, int(every_s * 1000))))
    except redis.RedisError:
        return False


def answered(lane_id: int) -> None:
    """A worker is at the door: the next message rings anew."""
    try:
        _connection().delete(_key(lane_id))
    except redis.RedisError:
        log.warning("the doorbell key stays until it expires", extra={"lane": lane_id})


def _key(lane_id: int) -> str:
    return f"etims:lane:{lane_id}"
