"""What each lane still owes KRA, what holds it up, and what is to be done."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from django.db.models import Count, Max, Min, Q
from msgspec import Meta, Struct

from devices.models import Device
from outbox.models import OPEN, Lane, Status, Stream, Transmission, host_of
from outbox.queries import with_head
from sales.models import PUBLIC_STATUS, State

from .logs import Explanation, explanation_of

Seconds = Annotated[float | None, Meta(description="None when nothing waits.")]
NEXT_STEPS = {
    "device": "Look at the device's state and its reason; then resume it.",
    "kra_down": "Nothing to do: the lane goes on when KRA answers again.",
    "ramp": "Nothing to do: after an outage the lanes start one after the other.",
    "conflict": "A person compares KRA's record with ours and resolves the conflict.",
    "unknown": "Wait: KRA is asked whether it has the message.",
    "retry": "Wait for the next attempt, or bring it forward (…/retry/).",
}


class Head(Struct):
    """The message that goes, or blocks, next."""

    reference: str
    kind: str
    status: str
    attempts: int
    error_code: str
    explanation: Explanation | None
    next_attempt_at: datetime


class LaneOutput(Struct):
    company: Annotated[str, Meta(description="PIN.")]
    branch: str
    device: str
    stream: Annotated[str, Meta(description="fiscal (sales), stock, purchase or data.")]
    waiting: int
    oldest_waiting_s: Seconds
    oldest_due_s: Annotated[Seconds, Meta(description="How late the most overdue message is.")]
    head: Head | None
    blocked: Annotated[
        str, Meta(description="device, kra_down, ramp, conflict, unknown, retry; empty: it moves.")
    ]
    next_step: str
    last_number: Annotated[int, Meta(description="The last number that KRA accepted.")]
    last_accepted_at: datetime | None


class SalesCounts(Struct):
    """Sales and credit notes by what became of them."""

    queued: int = 0
    sending: int = 0
    unknown: int = 0
    conflict: int = 0
    signed: int = 0
    refused: Annotated[int, Meta(description="Not yet corrected or voided.")] = 0
    voided: int = 0
    superseded: int = 0


class Success(Struct):
    """What KRA decided in the last 24 hours."""

    accepted: int
    refused: int
    rate: Annotated[float | None, Meta(description="0 to 1; None when nothing was decided.")]


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of some devices with their heads and counts. Four queries."""

    rows: list[Any]
    heads: Mapping[int, Transmission]
    # By lane and status: count, of them settled since, and when the last one was.
    counts: Mapping[tuple[int, str], Mapping[str, Any]]
    ages: Mapping[int, Mapping[str, Any]]

    @classmethod
    def read(cls, devices: Sequence[Device], *, since: datetime, now: datetime) -> "Lanes":
        lanes = Lane.objects.filter(device_id__in=[device.pk for device in devices])
        rows: list[Any] = list(with_head(lanes).order_by("device_id", "stream"))
        ids = [lane.pk for lane in rows]
        heads = Transmission.objects.defer("content", "body").in_bulk(
            [lane.head for lane in rows if lane.head]
        )
        return cls(rows, heads, _counts(ids, since), _ages(ids, now))

    @property
    def fiscal(self) -> list[int]:
        return [lane.pk for lane in self.rows if lane.stream == Stream.FISCAL]

    def of(self, lane_id: int, status: str) -> Mapping[str, Any]:
        return self.counts.get((lane_id, status), {"count": 0, "recent": 0, "last": None})

    def sales(self, status: str, *, what: str = "count") -> int:
        return sum(self.of(lane_id, status)[what] for lane_id in self.fiscal)


def _counts(ids: Sequence[int], since: datetime) -> dict[tuple[int, str], Mapping[str, Any]]:
    rows = (
        Transmission.objects.filter(lane_id__in=ids)
        .values("lane_id", "status")
        .annotate(
            count=Count("*"),
            # Of lane_id, because that is in the index: the rows themselves are not read.
            recent=Count("lane_id", filter=Q(finished_at__gte=since)),
            last=Max("finished_at"),
        )
    )
    return {(row["lane_id"], row["status"]): row for row in rows}


def _ages(ids: Sequence[int], now: datetime) -> dict[int, Mapping[str, Any]]:
    rows = (
        Transmission.objects.filter(lane_id__in=ids, status__in=OPEN)
        .values("lane_id")
        .annotate(oldest=Min("created_at"), due=Min("not_before", filter=Q(not_before__lte=now)))
    )
    return {row["lane_id"]: row for row in rows}


def lane_outputs(
    lanes: Lanes, devices: Mapping[int, Device], silent: Collection[str], *, now: datetime
) -> list[LaneOutput]:
    """`silent` are the hosts whose breaker is open."""
    return [_output(lanes, lane, devices[lane.device_id], silent, now) for lane in lanes.rows]


def _output(
    lanes: Lanes, lane: Any, device: Device, silent: Collection[str], now: datetime
) -> LaneOutput:
    head = lanes.heads.get(lane.head)
    ages = lanes.ages.get(lane.pk, {"oldest": None, "due": None})
    blocked = why_blocked(lane, device, head, silent, now) if head else ""
    return LaneOutput(
        company=device.company.pin,
        branch=device.branch.code,
        device=device.serial,
        stream=lane.stream,
        waiting=sum(lanes.of(lane.pk, status)["count"] for status in OPEN),
        oldest_waiting_s=_age(ages["oldest"], now),
        oldest_due_s=_age(ages["due"], now),
        head=_head(head) if head else None,
        blocked=blocked,
        next_step=NEXT_STEPS.get(blocked, ""),
        last_number=lane.last_number,
        last_accepted_at=lanes.of(lane.pk, Status.ACCEPTED)["last"],
    )


def why_blocked(
    lane: Lane, device: Device, head: Transmission, silent: Collection[str], now: datetime
) -> str:
    """One word for a lane that does not move, or nothing: its device, its host, its head."""
    if device.state != Device.State.ACTIVE:
        return "device"
    if host_of(device) in silent:
        return "kra_down"
    if lane.resume_at is not None and lane.resume_at > now:
        return "ramp"
    if head.status in (Status.CONFLICT, Status.UNKNOWN):
        return str(head.status)
    return "retry" if head.error_code and head.status == Status.QUEUED else ""


def _head(head: Transmission) -> Head:
    return Head(
        reference=head.reference,
        kind=head.kind,
        status=head.status,
        attempts=head.attempts,
        error_code=head.error_code,
        explanation=explanation_of(head.error_code, head.error_message),
        next_attempt_at=head.not_before,
    )


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max(0.0, (now - moment).total_seconds()), 1)


def sales_counts(lanes: Lanes) -> SalesCounts:
    """People's decisions stand above KRA's, and only what KRA does not have can carry one."""
    undone = (Status.REFUSED, Status.CANCELLED)
    counts = SalesCounts()
    for status in Status:
        if status not in undone:
            _add(counts, PUBLIC_STATUS[status], lanes.sales(status))
    rows = (
        Transmission.objects.filter(lane_id__in=lanes.fiscal, status__in=undone)
        .values("status", "invoice__state")
        .annotate(count=Count("*"))
    )
    for row in rows:
        state = row["invoice__state"]
        decided = state if state in (State.VOIDED, State.SUPERSEDED) else None
        _add(counts, decided or PUBLIC_STATUS[Status(row["status"])], row["count"])
    return counts


def _add(counts: SalesCounts, word: str, more: int) -> None:
    setattr(counts, word, getattr(counts, word) + more)


def success_of(lanes: Lanes) -> Success:
    accepted = lanes.sales(Status.ACCEPTED, what="recent")
    refused = lanes.sales(Status.REFUSED, what="recent")
    settled = accepted + refused
    return Success(accepted, refused, round(accepted / settled, 4) if settled else None)
