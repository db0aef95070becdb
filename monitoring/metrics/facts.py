"""Facts about the work, read from rows at each scrape; bounded in time and in labels.

Ten thousand devices must not become ten thousand time series: what concerns one device is told of
the METRICS_TOP worst only, and of all devices together by counts.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import Error, connection, transaction
from django.db.models import Count, IntegerField
from django.utils import timezone
from django.utils.module_loading import import_string
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import Metric
from redis.backoff import NoBackoff
from redis.retry import Retry

from devices.models import Call, Device
from monitoring.lanes import LaneState, age, lane_states
from monitoring.latency import PercentileDisc
from monitoring.models import Heartbeat
from outbox.models import OPEN, Breaker, Status, Stream

log = logging.getLogger(__name__)

WHERE = ["company", "branch", "device", "stream"]
LATE_S = (60, 300, 900, 3600, 21_600, 86_400)
QUANTILES = ("0.5", "0.95", "0.99")
REDIS_TIMEOUT_S = 0.5
# What other parts of the monitoring add: dotted paths of functions `(now) -> Iterable[Metric]`.
# Whoever owns the rows writes the function, next to them, and a line here.
SOURCES: tuple[str, ...] = (
    "monitoring.alerts.metrics.alert_metrics",
    "monitoring.alerts.metrics.expiry_metrics",
    "monitoring.journal.metrics.journal_metrics",
    "monitoring.webhooks.metrics.webhook_metrics",
    "monitoring.backups.metrics.backup_metrics",
)


class Facts:
    """A collector. Whatever is wrong with the stores, it answers, and says what is wrong."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._kept: list[Metric] = []

    def collect(self) -> list[Metric]:
        """One thread asks, the others wait for its answer: scrapes never pile up."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._kept = [*database_facts(), *redis_facts(), *own_disk()]
                self._until = time.monotonic() + settings.METRICS_CACHE_SECONDS
            return self._kept

    def forget(self) -> None:
        self._until = 0.0


facts = Facts()


def database_facts() -> list[Metric]:
    started = time.perf_counter()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            ask = time.perf_counter()
            cursor.execute("SELECT 1")
            latency = time.perf_counter() - ask
            limit = int(settings.METRICS_TIMEOUT_SECONDS * 1000)
            # LOCAL: behind PgBouncer the connection is somebody else's a moment later.
            cursor.execute("SET LOCAL statement_timeout = %s", [limit])
            found = list(_rows(timezone.now()))
    except Error as error:
        log.warning("metrics: the database refuses (%s)", type(error).__name__)
        return [one("etims_database_up", "1 when PostgreSQL answered this scrape.", 0)]
    return [
        one("etims_database_up", "1 when PostgreSQL answered this scrape.", 1),
        one("etims_database_seconds", "Of a question that asks for nothing.", latency),
        *found,
        one("etims_scrape_seconds", "What reading took.", time.perf_counter() - started),
    ]


def _rows(now: datetime) -> Iterator[Metric]:
    lanes = lane_states(now=now)
    for ask in (backlog, lateness, worst_lanes, acceptances):
        yield from ask(lanes, now)
    for read in (in_flight, settled, refused, breakers, calls, heartbeats, devices, own_size):
        yield from read(now)
    for path in SOURCES:
        source: Callable[[datetime], Iterator[Metric]] = import_string(path)
        yield from source(now)


def one(name: str, text: str, value: float) -> Metric:
    return Gauge(name, text, value=value)


def by(name: str, text: str, labels: Sequence[str], rows: Any) -> Metric:
    metric = Gauge(name, text, labels=labels)
    for *values, number in rows:
        metric.add_metric([str(value) for value in values], number)
    return metric


# --- Lanes ---


def backlog(lanes: Sequence[LaneState], now: datetime) -> Iterator[Metric]:
    waiting = dict.fromkeys(Stream.values, 0)
    for lane in lanes:
        waiting[lane.stream] += lane.waiting
    text = "Messages that KRA has not decided yet."
    yield by("etims_backlog_messages", text, ["stream"], waiting.items())


def lateness(lanes: Sequence[LaneState], now: datetime) -> Iterator[Metric]:
    late = {stream: [0.0] for stream in Stream.values}
    for lane in lanes:
        late[lane.stream].append(age(lane.due, now))
    oldest = [(stream, max(ages)) for stream, ages in late.items()]
    text = "Age of the oldest row that should have gone: the number to watch."
    yield by("etims_oldest_due_seconds", text, ["stream"], oldest)
    counts = [
        (stream, limit, sum(each > limit for each in ages))
        for stream, ages in late.items()
        for limit in LATE_S
    ]
    text = "Lanes whose oldest due row is older than so many seconds."
    yield by("etims_lanes_due_longer", text, ["stream", "seconds"], counts)


def worst_lanes(lanes: Sequence[LaneState], now: datetime) -> Iterator[Metric]:
    late = [lane for lane in lanes if lane.due is not None]
    worst = sorted(late, key=lambda lane: age(lane.due, now), reverse=True)
    rows = [(*_where(lane), age(lane.due, now)) for lane in worst[: settings.METRICS_TOP]]
    yield by("etims_lane_oldest_due_seconds", "The same of the latest lanes.", WHERE, rows)


def _where(lane: LaneState) -> tuple[str, str, str, str]:
    return lane.pin, lane.branch, lane.serial, lane.stream


def acceptances(lanes: Sequence[LaneState], now: datetime) -> Iterator[Metric]:
    sales = [lane for lane in lanes if lane.is_fiscal and lane.last_accepted is not None]
    latest: dict[str, float] = {}
    for lane in sales:
        since = age(lane.last_accepted, now)
        latest[lane.host] = min(since, latest.get(lane.host, since))
    text = "Since KRA's host last accepted a sale of anybody."
    yield by("etims_last_accepted_age_seconds", text, ["host"], latest.items())
    # Who has something to send comes first: a closed shop's silence means nothing.
    order = sorted(sales, key=lambda x: (x.waiting > 0, age(x.last_accepted, now)), reverse=True)
    rows = [(*_where(x)[:3], age(x.last_accepted, now)) for x in order[: settings.METRICS_TOP]]
    text = "The same of single devices: those with a backlog first, the longest silent of them."
    yield by("etims_device_last_accepted_age_seconds", text, WHERE[:3], rows)


# --- Messages and calls ---

IN_FLIGHT = """
    SELECT lane.stream, message.status, COUNT(*)
    FROM outbox_transmission message JOIN outbox_lane lane ON lane.id = message.lane_id
    WHERE message.status = ANY(%s) GROUP BY 1, 2
"""
# Lane by lane, through the index that begins with it: what was ever sent is not read.
SETTLED = """
    SELECT lane.stream, message.status, SUM(message.number)
    FROM outbox_lane lane CROSS JOIN LATERAL (
        SELECT status, COUNT(*) AS number FROM outbox_transmission
        WHERE lane_id = lane.id AND status IN ('accepted', 'refused') AND finished_at >= %s
        GROUP BY status
    ) message GROUP BY 1, 2
"""
REFUSED = """
    SELECT COUNT(*) FROM outbox_lane lane CROSS JOIN LATERAL (
        SELECT id FROM outbox_transmission WHERE lane_id = lane.id AND status = 'refused' OFFSET 0
    ) message JOIN sales_invoice invoice ON invoice.transmission_id = message.id
    WHERE lane.stream = 'fiscal' AND invoice.state = 'active'
"""


def _fetch(sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def in_flight(now: datetime) -> Iterator[Metric]:
    rows = {(stream, status): 0 for stream in Stream.values for status in OPEN}
    rows |= {(stream, status): number for stream, status, number in _fetch(IN_FLIGHT, [OPEN])}
    text = "The backlog by state. unknown: KRA is asked; conflict: a person decides."
    flat = [(*key, number) for key, number in rows.items()]
    yield by("etims_open_messages", text, ["stream", "status"], flat)


def settled(now: datetime) -> Iterator[Metric]:
    decided = (Status.ACCEPTED.value, Status.REFUSED.value)
    rows = {(stream, status): 0 for stream in Stream.values for status in decided}
    found = _fetch(SETTLED, [_since(now)])
    rows |= {(stream, status): int(number) for stream, status, number in found}
    text = "What KRA decided in the last METRICS_WINDOW_SECONDS."
    flat = [(*key, number) for key, number in rows.items()]
    yield by("etims_recent_messages", text, ["stream", "status"], flat)


def refused(now: datetime) -> Iterator[Metric]:
    ((number,),) = _fetch(REFUSED)
    yield one("etims_refused_sales", "Refused, and nobody has corrected or voided them.", number)


def calls(now: datetime) -> Iterator[Metric]:
    recent = Call.objects.filter(started_at__gte=_since(now)).order_by()
    counts = recent.values_list("endpoint", "outcome").annotate(number=Count("*"))
    rows = [(endpoint, outcome or "open", number) for endpoint, outcome, number in counts]
    text = "Calls to KRA begun in the last METRICS_WINDOW_SECONDS, by what came of them."
    yield by("etims_recent_kra_calls", text, ["endpoint", "outcome"], rows)
    timed = recent.filter(elapsed_ms__isnull=False).values_list("endpoint")
    middle = PercentileDisc("elapsed_ms", output_field=ArrayField(IntegerField()))
    found = timed.annotate(values=middle)
    slow = [
        (endpoint, quantile, ms / 1000)
        for endpoint, values in found
        for quantile, ms in zip(QUANTILES, values, strict=True)
    ]
    text = "How long those calls took."
    yield by("etims_recent_kra_call_seconds", text, ["endpoint", "quantile"], slow)


def _since(now: datetime) -> datetime:
    return now - timedelta(seconds=settings.METRICS_WINDOW_SECONDS)


# --- The installation ---


def breakers(now: datetime) -> Iterator[Metric]:
    rows = list(Breaker.objects.order_by("host"))
    text = "1 when the host does not answer and nothing is sent to it."
    opened = [(row.host, int(row.is_open)) for row in rows]
    yield by("etims_breaker_open", text, ["host"], opened)
    failures = [(row.host, row.failures) for row in rows]
    yield by("etims_breaker_failures", "Faults in a row.", ["host"], failures)


def heartbeats(now: datetime) -> Iterator[Metric]:
    """One that was never heard of has no age: alert rules ask whether it is absent."""
    rows = [(row.name, age(row.at, now)) for row in Heartbeat.objects.parts()]
    text = "Since a worker, beat or the watchdog last proved that it lives."
    yield by("etims_heartbeat_age_seconds", text, ["part"], rows)


def devices(now: datetime) -> Iterator[Metric]:
    rows = dict.fromkeys(Device.State.values, 0)
    rows |= dict(Device.objects.order_by().values_list("state").annotate(number=Count("*")))
    yield by("etims_devices", "Devices by state.", ["state"], rows.items())


def own_size(now: datetime) -> Iterator[Metric]:
    ((size,),) = _fetch("SELECT pg_database_size(current_database())")
    yield one("etims_database_bytes", "Size of the database.", size)


def own_disk() -> Iterator[Metric]:
    usage = shutil.disk_usage(settings.BASE_DIR)
    yield one("etims_disk_free_ratio", "Of this server's disk, 0 to 1.", usage.free / usage.total)


def redis_facts() -> Iterator[Metric]:
    client: Any = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        socket_timeout=REDIS_TIMEOUT_S,
        # The library's own repeats would outlast every deadline.
        retry=Retry(NoBackoff(), 0),
    )
    is_up = 0
    try:
        with client:
            is_up = int(client.ping())
    except (redis.RedisError, OSError) as error:
        log.warning("metrics: Redis does not answer (%s)", type(error).__name__)
    yield one("etims_redis_up", "1 when Redis answered this scrape.", is_up)
