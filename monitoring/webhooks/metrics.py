from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min, OuterRef, Q, Subquery
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from monitoring.models import Delivery, Endpoint

State = Endpoint.State


def oldest_due(now: datetime) -> datetime | None:
    """Since when the longest waiting event is due. Who is given a rest after failures, is not due:
    a deaf receiver is his own trouble, and his endpoint says so.
    """
    rested = Q(resume_at=None) | Q(resume_at__lte=now)
    active = Endpoint.objects.filter(rested, state=State.ACTIVE).exclude(company__is_active=False)
    pending = Delivery.objects.filter(
        endpoint=OuterRef("pk"), state=Delivery.State.PENDING, next_attempt_at__lte=now
    )
    first = pending.order_by("next_attempt_at").values("next_attempt_at")[:1]
    oldest: datetime | None = active.aggregate(oldest=Min(Subquery(first)))["oldest"]
    return oldest


def webhook_metrics(now: datetime) -> Iterator[Metric]:
    oldest = oldest_due(now)
    lag = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    text = "Age of the oldest event that should have gone to a receiver."
    yield GaugeMetricFamily("etims_webhook_oldest_due_seconds", text, value=lag)
    pending = Delivery.objects.filter(
        state=Delivery.State.PENDING, endpoint__state=State.ACTIVE
    ).count()
    text = "Events on their way to receivers that are switched on."
    yield GaugeMetricFamily("etims_webhook_pending", text, value=pending)
    rows = {State.ACTIVE.value: 0, State.DISABLED.value: 0}
    counted = Endpoint.objects.kept().order_by().values_list("state")
    rows |= dict(counted.annotate(number=Count("*")))
    metric = GaugeMetricFamily("etims_webhook_endpoints", "Endpoints by state.", labels=["state"])
    for state, number in rows.items():
        metric.add_metric([state], number)
    yield metric
