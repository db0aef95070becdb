"""Named questions about lanes, asked by the sweep, the dashboard and the admin."""

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from devices.models import Device

from .models import OPEN, Breaker, Lane, Status, Transmission


def with_head(lanes: QuerySet[Lane]) -> Any:
    """Annotate each lane with its head: the message that goes, or blocks, next."""
    head = Transmission.objects.filter(lane=OuterRef("pk"), status__in=OPEN).in_order()
    return lanes.annotate(
        head=Subquery(head.values("pk")[:1]),
        head_status=Subquery(head.values("status")[:1]),
        head_due=Subquery(head.values("not_before")[:1]),
    )


def due_lanes() -> Any:
    """Lanes that could send now, and that no living worker holds."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    resumed = Q(resume_at=None) | Q(resume_at__lte=now)
    lanes = Lane.objects.filter(free, resumed, device__state=Device.State.ACTIVE)
    for host in Breaker.objects.filter(is_open=True).values_list("host", flat=True):
        environment, profile = host.split("/")
        lanes = lanes.exclude(
            device__company__environment=environment, device__company__profile=profile
        )
    due = with_head(lanes).filter(head_due__lte=now)
    return due.exclude(head_status=Status.CONFLICT)


def blocked_by(row: Transmission) -> Transmission | None:
    """The message before this one that holds its lane up, if it is not merely busy."""
    if row.is_settled:
        return None
    head = Transmission.objects.filter(lane=row.lane_id).open().in_order().first()
    if head is None or head.pk == row.pk:
        return None
    stuck = head.status in (Status.UNKNOWN, Status.CONFLICT) or head.error_code
    return head if stuck else None
