"""What the page shows, for all or for some companies. What is costly is kept for some seconds, so
that ten people who look cost as much as one; devices come page by page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.core.cache import cache
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Count, Q

from companies.models import Company
from devices.models import Device
from kra.times import NAIROBI
from monitoring.backlog import LaneOutput, Lanes, lane_outputs
from monitoring.lanes import LaneState, age, lane_states
from monitoring.models import Alert
from monitoring.roles import READERS, access_of_user
from monitoring.totals import Day, totals_of_companies
from outbox.models import Breaker, Status, Stream, Transmission

T = TypeVar("T")
KEEP_S, KEEP_CHARTS_S = 5, 60
PAGE, WORST = 25, 10
HOURS = 24
SHOWN = (
    *("serial", "state", "state_reason", "branch__code", "branch__name", "company__name"),
    *("company__pin", "company__environment", "company__profile"),
)
# Whose outcome says what: KRA's yes, KRA's no, and no word at all.
HOURLY = """
    SELECT date_trunc('hour', started_at) AS hour,
        COUNT(*) FILTER (WHERE outcome = 'accepted'),
        COUNT(*) FILTER (WHERE outcome IN ('rejected', 'device_refused')),
        COUNT(*) FILTER (WHERE outcome IN ('unknown', 'unavailable', 'unreadable')),
        percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY elapsed_ms)
    FROM devices_call WHERE endpoint = 'sales_save' AND started_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The companies somebody may see; None: all."""

    companies: tuple[int, ...] | None

    @property
    def key(self) -> str:
        return "all" if self.companies is None else "-".join(map(str, self.companies))

    def of(self, path: str) -> Q:
        return Q() if self.companies is None else Q(**{f"{path}__in": self.companies})


def scope_of(user: Any) -> Scope:
    """The operator sees all; anybody else, staff or not, the companies in which his role reads
    (roles.py): a cashier works at the till.
    """
    access = access_of_user(user)
    if access.is_platform:
        return Scope(None)
    mine = Company.objects.filter(pk__in=access.companies(READERS), is_active=True)
    return Scope(tuple(mine.order_by("pk").values_list("pk", flat=True)))


@dataclass(slots=True)
class Overview:
    at: datetime
    states: dict[str, int]
    waiting: dict[str, int]
    oldest_due: float
    late: int
    last_accepted: datetime | None
    hosts: list[dict[str, Any]]
    worst: list[LaneState]


@dataclass(slots=True)
class Hours:
    labels: list[str]
    signed: list[int]
    refused: list[int]
    unanswered: list[int]
    p50: list[int | None]
    p95: list[int | None]
    p99: list[int | None]

    @property
    def rate(self) -> float | None:
        """Percent of the calls that KRA said yes to."""
        calls = sum(self.signed) + sum(self.refused) + sum(self.unanswered)
        return 100 * sum(self.signed) / calls if calls else None


def kept(name: str, scope: Scope, seconds: int, make: Callable[[], T]) -> T:
    found: T | None = cache.get(f"dashboard:{name}:{scope.key}")
    if found is None:
        found = make()
        cache.set(f"dashboard:{name}:{scope.key}", found, seconds)
    return found


def overview(scope: Scope, now: datetime) -> Overview:
    return kept("overview", scope, KEEP_S, lambda: _overview(scope, now))


def _overview(scope: Scope, now: datetime) -> Overview:
    lanes = lane_states(now=now, companies=scope.companies)
    due = sorted((x for x in lanes if x.due), key=lambda x: age(x.due, now), reverse=True)
    held = [x for x in lanes if x.status in (Status.UNKNOWN, Status.CONFLICT)]
    accepted = [x.last_accepted for x in lanes if x.is_fiscal and x.last_accepted]
    return Overview(
        at=now,
        states=_states(scope),
        waiting={s: sum(x.waiting for x in lanes if x.stream == s) for s in Stream.values},
        oldest_due=age(due[0].due, now) if due else 0.0,
        late=sum(age(x.due, now) > 300 for x in due),
        last_accepted=max(accepted, default=None),
        hosts=_hosts({lane.host for lane in lanes}),
        worst=list(dict.fromkeys([*due[:WORST], *held[:WORST]]))[:WORST],
    )


def _states(scope: Scope) -> dict[str, int]:
    counted = Device.objects.filter(scope.of("company_id")).order_by().values_list("state")
    return dict.fromkeys(Device.State.values, 0) | dict(counted.annotate(number=Count("*")))


def _hosts(hosts: set[str]) -> list[dict[str, Any]]:
    known = Breaker.objects.in_bulk(sorted(hosts))
    rows = [(host, known.get(host)) for host in sorted(hosts)]
    return [
        {
            "host": host,
            "is_open": bool(row and row.is_open),
            "since": row.opened_at if row else None,
        }
        for host, row in rows
    ]


def hours(scope: Scope, now: datetime) -> Hours:
    return kept("hours", scope, KEEP_CHARTS_S, lambda: _hours(scope, now))


def _hours(scope: Scope, now: datetime) -> Hours:
    last = now.replace(minute=0, second=0, microsecond=0)
    slots = [last - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    only = "" if scope.companies is None else " AND device_id = ANY(%(devices)s)"
    devices = [] if scope.companies is None else list(_device_ids(scope))
    with connection.cursor() as cursor:
        given: dict[str, Any] = {"since": slots[0], "devices": devices}
        cursor.execute(f"{HOURLY}{only} GROUP BY 1", given)
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    columns = [found.get(slot, (0, 0, 0, None)) for slot in slots]
    middle = [column[3] or (None, None, None) for column in columns]
    return Hours(
        [f"{slot.astimezone(NAIROBI):%H:%M}" for slot in slots],
        *([column[place] for column in columns] for place in range(3)),
        *([each[place] for each in middle] for place in range(3)),
    )


def _device_ids(scope: Scope) -> Any:
    return Device.objects.filter(scope.of("company_id")).values_list("pk", flat=True)


def today(scope: Scope, now: datetime) -> Day:
    return kept("today", scope, KEEP_CHARTS_S, lambda: _today(scope, now))


def _today(scope: Scope, now: datetime) -> Day:
    rows = Company.objects.filter(scope.of("pk")).values_list("pk", flat=True)
    return totals_of_companies(list(rows), now=now)


def held(scope: Scope) -> list[Transmission]:
    """The oldest that KRA has not told of, or tells otherwise."""
    rows = Transmission.objects.filter(
        scope.of("lane__device__company_id"), status__in=[Status.UNKNOWN, Status.CONFLICT]
    ).select_related("lane__device__company")
    names = ("reference", "status", "kind", "created_at", "error_code", "lane__stream")
    joined = ("lane__device__serial", "lane__device__company__name")
    return list(rows.only(*names, *joined).order_by("created_at")[:WORST])


def alerts(scope: Scope) -> list[Alert]:
    rows = Alert.objects.open().filter(scope.of("company_id"))
    # "critical" comes before "warning" by its letter.
    return list(rows.select_related("company", "device").only(
        *("rule", "severity", "title", "since", "company__pin", "device__serial"),
    ).order_by("severity", "since")[: 2 * WORST])  # fmt: skip


@dataclass(slots=True)
class DevicePage:
    page: "Page[Device]"
    rows: list[tuple[Device, list[LaneOutput]]]


def device_page(scope: Scope, asked: dict[str, str], now: datetime) -> DevicePage:
    devices = Device.objects.filter(scope.of("company_id")).select_related("company", "branch")
    words = asked.get("q", "").replace("\x00", "")[:100].strip()
    if words:
        names = ("serial", "company__name", "company__pin")
        matches = (Q(**{f"{name}__icontains": words}) for name in names)
        devices = devices.filter(next(matches) | next(matches) | next(matches))
    if asked.get("state") in Device.State.values:
        devices = devices.filter(state=asked["state"])
    ordered = devices.only(*SHOWN).order_by("company_id", "serial", "pk")
    page = Paginator(ordered, PAGE).get_page(asked.get("page"))
    return DevicePage(page, with_lanes(list(page.object_list), now))


def with_lanes(devices: Sequence[Device], now: datetime) -> list[tuple[Device, list[LaneOutput]]]:
    lanes = Lanes.read(devices, since=now - timedelta(hours=HOURS), now=now)
    silent = set(Breaker.objects.filter(is_open=True).values_list("host", flat=True))
    outputs = lane_outputs(lanes, {d.pk: d for d in devices}, silent, now=now)
    by_device: dict[int, list[LaneOutput]] = {device.pk: [] for device in devices}
    for lane, output in zip(lanes.rows, outputs, strict=True):
        by_device[lane.device_id].append(output)
    return [(device, by_device[device.pk]) for device in devices]
