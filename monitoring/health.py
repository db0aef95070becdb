"""Is this installation well? Answered in time, whatever hangs.

The database and Redis are asked in threads of their own, and the report waits for them no longer
than DEADLINE_S: a server that swallows packets costs a verdict, not the answer. It is kept for a
second, because the address is open and whoever hammers it must not reach the database.
"""

import logging
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import redis
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections, transaction
from django.db.models import Min
from django.utils import timezone
from msgspec import Meta, Struct
from redis.backoff import NoBackoff
from redis.retry import Retry

from devices.models import Device
from outbox.models import OPEN, Breaker, Transmission

from .alerts.channels import configured
from .models import Heartbeat

log = logging.getLogger(__name__)

DEADLINE_S = 1.2
REDIS_TIMEOUT_S = 0.5
# The least that libpq can do.
CONNECT_TIMEOUT_S = 2
KEEP_S = 1.0
SILENT_S = 60
# By a timer it may look less often than as a process of its own.
WATCHDOG_SILENT_S = 600
LATE_S = 300
DISK_WARNING, DISK_FAILED = 5.0, 1.0
OK, WARNING, FAILED = "ok", "warning", "failed"
# What rows tell.
NAMES = ("keys", "worker", "beat", "watchdog", "outbox")

# Two pools: threads that hang on one server must not make the other look dead.
_database_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="health-database")
_redis_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="health-redis")
_last: "tuple[float, Health] | None" = None


class Check(Struct):
    name: Annotated[str, Meta(examples=["database", "kra:production/direct"])]
    verdict: Annotated[str, Meta(description="ok, warning or failed.")]
    message: str
    number: float | None = None
    unit: Annotated[str, Meta(description="Of the number: ms, s or %.")] = ""


class Health(Struct):
    status: Annotated[str, Meta(description="ok; degraded: it sells, look at it; failed: 503.")]
    checks: list[Check]
    version: str
    time: datetime


@dataclass(slots=True)
class Facts:
    """What the database told in time. None: it did not."""

    database_ms: float | None = None
    beats: dict[str, datetime] | None = None
    oldest_due: datetime | None = None
    breakers: list[Breaker] = field(default_factory=list)
    keys_fit: bool = True
    is_complete: bool = False


def report() -> Health:
    """The ready report, at most KEEP_S old."""
    global _last
    if _last is None or time.monotonic() >= _last[0]:
        _last = (time.monotonic() + KEEP_S, inspect())
    return _last[1]


def forget() -> None:
    """Look again at once."""
    global _last
    _last = None


def alive() -> Health:
    return Health(OK, [], _version(), timezone.now())


def inspect() -> Health:
    facts, pings = Facts(), list[float]()
    _wait([_database_pool.submit(_ask_database, facts), _redis_pool.submit(_ask_redis, pings)])
    now = timezone.now()
    checks = [database_check(facts), redis_check(pings), *fact_checks(facts, now), _disk()]
    return Health(status_of(checks), checks, _version(), now)


def status_of(checks: list[Check]) -> str:
    verdicts = {check.verdict for check in checks}
    return "failed" if FAILED in verdicts else "degraded" if WARNING in verdicts else "ok"


def _version() -> str:
    return str(settings.SPECTACULAR_SETTINGS["VERSION"])


def _wait(asked: list[Future[None]]) -> None:
    wait(asked, timeout=DEADLINE_S)
    for future in asked:
        # One that still waits for a thread must not run when nobody wants it any more.
        unfinished = future.cancel() or not future.done()
        error = None if unfinished else future.exception()
        if error is not None:
            log.error("health: a question failed", exc_info=error)


def _ask_database(facts: Facts) -> None:
    """Through a connection of its own: that proves that the server still lets somebody in."""
    _prepare_connection()
    try:
        started = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            facts.database_ms = _ms_since(started)
            # LOCAL: behind PgBouncer the connection is somebody else's a moment later.
            cursor.execute("SET LOCAL statement_timeout = %s", [int(DEADLINE_S * 1000)])
            _read_facts(facts)
    except Error as error:
        log.warning("health: the database refuses (%s)", type(error).__name__)
    finally:
        connection.close()
        del connections[DEFAULT_DB_ALIAS]


def _prepare_connection() -> None:
    """This thread's next connection gives up soon, so that the thread is free for the next try."""
    fresh = connections.create_connection(DEFAULT_DB_ALIAS)
    options = fresh.settings_dict["OPTIONS"] | {"connect_timeout": CONNECT_TIMEOUT_S}
    fresh.settings_dict = fresh.settings_dict | {"OPTIONS": options}
    connections[DEFAULT_DB_ALIAS] = fresh


def _read_facts(facts: Facts) -> None:
    facts.beats = dict(Heartbeat.objects.values_list("name", "at"))
    facts.breakers = list(Breaker.objects.order_by("host"))
    due = Transmission.objects.filter(status__in=OPEN, not_before__lte=timezone.now())
    facts.oldest_due = due.aggregate(oldest=Min("not_before"))["oldest"]
    facts.keys_fit = _keys_fit()
    facts.is_complete = True


def _keys_fit() -> bool:
    """Whether the newest device's key can be read."""
    try:
        Device.objects.exclude(key="").order_by("-pk").values_list("key", flat=True).first()
    except InvalidToken:
        return False
    return True


def _ask_redis(pings: list[float]) -> None:
    client: Any = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        socket_timeout=REDIS_TIMEOUT_S,
        # The library's own repeats would outlast every deadline.
        retry=Retry(NoBackoff(), 0),
    )
    started = time.perf_counter()
    try:
        with client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        log.warning("health: Redis does not answer (%s)", type(error).__name__)
    else:
        pings.append(_ms_since(started))


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def database_check(facts: Facts) -> Check:
    if facts.database_ms is None:
        return Check("database", FAILED, "PostgreSQL does not answer: nothing can be accepted.")
    return Check("database", OK, "PostgreSQL answers.", facts.database_ms, "ms")


def redis_check(pings: list[float]) -> Check:
    if not pings:
        message = "Redis does not answer. Selling goes on; deliveries start later and without it."
        return Check("redis", WARNING, message)
    return Check("redis", OK, "Redis answers.", pings[0], "ms")


def fact_checks(facts: Facts, now: datetime) -> list[Check]:
    """What rows say about the rest of the installation."""
    if not facts.is_complete:
        message = "Not known: the database did not tell in time."
        return [Check(name, WARNING, message) for name in NAMES]
    beats = facts.beats or {}
    return [
        keys_check(fit=facts.keys_fit),
        beat_check("worker", beats.get("worker"), now),
        beat_check("beat", beats.get("beat"), now),
        watchdog_check(beats.get("watchdog"), now),
        due_check(facts.oldest_due, now),
        *[breaker_check(row, now) for row in facts.breakers],
    ]


def keys_check(*, fit: bool) -> Check:
    if fit:
        return Check("keys", OK, "What is stored can be read with ENCRYPTION_KEYS.")
    message = "ENCRYPTION_KEYS does not hold the key of what is stored: nothing can be accepted."
    return Check("keys", FAILED, message)


SILENCE: dict[str, str] = {
    "worker": "No worker has run a task",
    "beat": "Nothing was scheduled",
}

CAUSES = {
    "worker": "The workers or Redis have stopped; or beat, if it is silent as well.",
    "beat": "Beat has stopped.",
}


def beat_check(name: str, at: datetime | None, now: datetime) -> Check:
    """Warning only: the web accepts sales, and delivers those that `Prefer: wait`, by itself."""
    what = SILENCE[name]
    if at is None:
        return Check(name, WARNING, f"{what} yet. Start the worker and beat.")
    age = _age(at, now)
    if age > SILENT_S:
        cause = CAUSES[name]
        return Check(name, WARNING, f"{what} for {age:.0f} s. {cause}", age, "s")
    return Check(name, OK, f"Heard of {age:.0f} s ago.", age, "s")


def watchdog_check(at: datetime | None, now: datetime) -> Check:
    if at is None:
        # A demo has none; whoever set a channel believes that he will be told.
        verdict = WARNING if configured() else OK
        return Check("watchdog", verdict, "None has looked yet: nobody is told of trouble.")
    age = _age(at, now)
    if age > WATCHDOG_SILENT_S:
        message = f"It has not looked for {age:.0f} s: nobody is told of trouble. Start it."
        return Check("watchdog", WARNING, message, age, "s")
    return Check("watchdog", OK, f"Looked {age:.0f} s ago.", age, "s")


def due_check(oldest: datetime | None, now: datetime) -> Check:
    age = _age(oldest, now) if oldest else 0.0
    if age > LATE_S:
        message = f"A message to KRA has been due for {age:.0f} s. /api/dashboard/ shows its lane."
        return Check("outbox", WARNING, message, age, "s")
    return Check("outbox", OK, "No message to KRA is late.", age, "s")


def breaker_check(row: Breaker, now: datetime) -> Check:
    name = f"kra:{row.host}"
    if not row.is_open:
        return Check(name, OK, "No outage is known.")
    age = _age(row.opened_at, now) if row.opened_at else None
    message = "KRA does not answer. Sales are accepted and wait; nothing is lost."
    return Check(name, WARNING, message, age, "s")


def _age(moment: datetime, now: datetime) -> float:
    return round(max(0.0, (now - moment).total_seconds()), 1)


def _disk() -> Check:
    usage = shutil.disk_usage(settings.BASE_DIR)
    return disk_check(total=usage.total, free=usage.free)


def disk_check(*, total: int, free: int) -> Check:
    percent = 100 * free / total
    verdict = FAILED if percent < DISK_FAILED else WARNING if percent < DISK_WARNING else OK
    message = f"{percent:.1f} % of this server's disk is free."
    if verdict != OK:
        message += " Make room: without it the database stops."
    return Check("disk", verdict, message, round(percent, 1), "%")
