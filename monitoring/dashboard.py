"""The state of a company's sales at a glance, in a constant number of queries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct

from companies.models import ApiToken, Branch
from core.errors import NotFound
from devices.models import Device
from outbox.models import Breaker, host_of

from .backlog import (
    LaneOutput,
    Lanes,
    SalesCounts,
    Success,
    lane_outputs,
    sales_counts,
    success_of,
)
from .latency import Latency, latency
from .logs import Explanation, explanation_of
from .totals import Day, totals_of_day

WINDOW = timedelta(hours=24)
# Names and states only: what is not listed (keys, credentials) is never read.
SHOWN = (
    "serial",
    "state",
    "branch__code",
    *(f"company__{n}" for n in ("pin", "environment", "profile")),
)


class HostOutput(Struct):
    """One of KRA's hosts, as this installation sees it."""

    host: Annotated[str, Meta(examples=["production/direct"])]
    is_open: Annotated[bool, Meta(description="True: it does not answer; nothing is sent.")]
    failures: int
    opened_at: datetime | None
    next_probe_at: datetime | None
    explanation: Explanation | None


class Dashboard(Struct):
    generated_at: datetime
    sales: SalesCounts
    last_24_hours: Success
    latency_24_hours: Latency
    lanes: list[LaneOutput]
    devices: Annotated[dict[str, int], Meta(description="How many are in each state.")]
    kra_hosts: list[HostOutput]
    today: Day


def dashboard(token: ApiToken, *, serial: str = "", branch: str = "", now: datetime) -> Dashboard:
    """What the token may see, of one device or branch if named. Raises NotFound."""
    devices = visible_devices(token, serial=serial, branch=branch)
    since = now - WINDOW
    lanes = Lanes.read(devices, since=since, now=now)
    hosts = host_outputs(devices)
    silent = {host.host for host in hosts if host.is_open}
    return Dashboard(
        generated_at=now,
        sales=sales_counts(lanes),
        last_24_hours=success_of(lanes),
        latency_24_hours=latency([d.pk for d in devices], lanes.fiscal, since=since),
        lanes=lane_outputs(lanes, {d.pk: d for d in devices}, silent, now=now),
        devices=count_states(devices),
        kra_hosts=hosts,
        today=totals_of_day(devices, now=now),
    )


def visible_devices(token: ApiToken, *, serial: str, branch: str) -> list[Device]:
    """Everything else is asked for these devices, so tenancy is decided here."""
    if "\x00" in serial + branch:
        raise NotFound("There is no such device or branch.")
    devices: Any = Device.objects.visible_to(token).select_related("company", "branch")
    if serial:
        devices = devices.filter(serial=serial)
    if branch:
        devices = devices.filter(branch__code=branch)
    found = list(devices.only(*SHOWN).order_by("pk"))
    if serial and not found:
        raise NotFound(f"There is no device {serial!r}.")
    if branch and not found and not _has_branch(token, branch):
        raise NotFound(f"There is no branch {branch!r}.")
    return found


def _has_branch(token: ApiToken, code: str) -> bool:
    return Branch.objects.visible_to(token).filter(code=code).exists()


def count_states(devices: Sequence[Device]) -> dict[str, int]:
    states = [device.state for device in devices]
    return {state: states.count(state) for state in Device.State.values}


def host_outputs(devices: Sequence[Device]) -> list[HostOutput]:
    """A host without a row never failed."""
    hosts = sorted({host_of(device) for device in devices})
    known = Breaker.objects.in_bulk(hosts)
    return [_host(known.get(host) or Breaker(host=host)) for host in hosts]


def _host(row: Breaker) -> HostOutput:
    # Only the code: the text behind it was said to whoever met the error.
    code, _, _ = row.last_error.partition(":")
    return HostOutput(
        host=row.host,
        is_open=row.is_open,
        failures=row.failures,
        opened_at=row.opened_at if row.is_open else None,
        next_probe_at=row.probe_at if row.is_open else None,
        explanation=explanation_of(code) if row.is_open or row.failures else None,
    )
