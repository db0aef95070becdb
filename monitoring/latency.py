"""How long KRA takes, and how long a sale waits for its signature, over the last 24 hours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, IntegerField
from msgspec import Meta, Struct

from devices.models import Call
from outbox.models import Status, Transmission

Milliseconds = Annotated[int | None, Meta(description="None when there was nothing to measure.")]


class Percentiles(Struct):
    count: int
    p50_ms: Milliseconds = None
    p95_ms: Milliseconds = None
    p99_ms: Milliseconds = None


class Latency(Struct):
    kra: Annotated[Percentiles, Meta(description="Calls that send a sale, answered or timed out.")]
    to_signature: Annotated[
        Percentiles, Meta(description="From the acceptance of a sale to its signature.")
    ]


class PercentileDisc(Aggregate):
    """Values that really occurred (nearest rank), all three from one sort."""

    template = "percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY %(expressions)s)"


def latency(device_ids: Sequence[int], lane_ids: Sequence[int], *, since: datetime) -> Latency:
    """`lane_ids` are the fiscal ones. Two queries."""
    return Latency(_of_calls(device_ids, since), _to_signature(lane_ids, since))


def _of_calls(device_ids: Sequence[int], since: datetime) -> Percentiles:
    calls = Call.objects.filter(
        device_id__in=device_ids,
        endpoint="sales_save",
        started_at__gte=since,
        elapsed_ms__isnull=False,
    )
    middle = PercentileDisc("elapsed_ms", output_field=ArrayField(IntegerField()))
    return _percentiles(calls.aggregate(count=Count("*"), values=middle))


def _to_signature(lane_ids: Sequence[int], since: datetime) -> Percentiles:
    signed = Transmission.objects.filter(
        lane_id__in=lane_ids, status=Status.ACCEPTED, finished_at__gte=since
    )
    took = ExpressionWrapper(F("finished_at") - F("created_at"), output_field=DurationField())
    middle = PercentileDisc(took, output_field=ArrayField(DurationField()))
    return _percentiles(signed.aggregate(count=Count("*"), values=middle))


def _percentiles(found: dict[str, Any]) -> Percentiles:
    return Percentiles(found["count"], *[_ms(value) for value in found["values"] or ()])


def _ms(value: int | timedelta) -> int:
    if isinstance(value, timedelta):
        return round(value.total_seconds() * 1000)
    return value
