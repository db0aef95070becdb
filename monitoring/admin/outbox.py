from typing import Any

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.http import HttpRequest
from django.utils import timezone

from monitoring.acts import comparing
from monitoring.acts.comparing import Compared
from monitoring.backlog import NEXT_STEPS, why_blocked
from outbox.models import Breaker, Lane, Status, Transmission, host_of
from outbox.queries import with_head

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, cause_of, next_step_of, readable


@admin.register(Lane)
class LaneAdmin(ReadOnlyAdmin):
    related = ("device__company",)
    list_display = (
        *("device", "stream", "last_number", "head_status", "blocked", "cause", "next_step"),
        *("lease_until", "resume_at"),
    )
    list_filter = ("stream", "device__state")
    search_fields = ("device__serial", "device__company__pin", "device__company__name")
    fields = (
        *("device", "stream", "last_number", "head_status", "blocked", "cause", "next_step"),
        *("lease_owner", "lease_until", "resume_at"),
    )
    readonly_fields = ("head_status", "blocked", "cause", "next_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        host = Concat("device__company__environment", Value("/"), F("device__company__profile"))
        lanes = with_head(super().get_queryset(request)).annotate(host=host)
        head = Transmission.objects.filter(pk=OuterRef("head"))
        rows: QuerySet[Any] = lanes.annotate(
            head_code=Subquery(head.values("error_code")[:1]),
            head_message=Subquery(head.values("error_message")[:1]),
            is_silent=Exists(Breaker.objects.filter(host=OuterRef("host"), is_open=True)),
        )
        return rows

    def trouble(self, lane: Any) -> Trouble | None:
        return trouble_of(lane.head_code or "", lane.head_message or "")

    @admin.display(description="head")
    def head_status(self, lane: Any) -> str:
        return lane.head_status or "nothing waits"

    @admin.display(description="blocked by")
    def blocked(self, lane: Any) -> str:
        if lane.head is None:
            return ""
        head = Transmission(status=lane.head_status, error_code=lane.head_code)
        silent = [host_of(lane.device)] if lane.is_silent else []
        return why_blocked(lane, lane.device, head, silent, timezone.now())

    @admin.display
    def cause(self, lane: Any) -> str:
        return cause_of(lane.head_code or "", lane.head_message or "")

    @admin.display(description="next step")
    def next_step(self, lane: Any) -> str:
        return NEXT_STEPS.get(self.blocked(lane), "")


@admin.register(Transmission)
class TransmissionAdmin(ReadOnlyAdmin):
    related = ("lane__device",)
    list_display = (
        *("id", "device", "stream", "kind", "reference", "number", "status", "attempts"),
        *("not_before", "cause", "next_step", "created_at"),
    )
    list_filter = ("status", "kind", "lane__stream")
    search_fields = ("=reference", "=number", "=lane__device__serial", "=error_code")
    search_help_text = "Reference, number, device or error code, exactly"
    fields = (
        *("device", "stream", "kind", "reference", "number", "status", "attempts"),
        *("error_code", "error_message", "cause", "next_step", "expected_number"),
        *("not_before", "deadline_at", "created_at", "claimed_at", "finished_at"),
        *("sha256", "body_text"),
    )
    readonly_fields = ("device", "stream", "cause", "next_step", "body_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Read when one message is shown; a list of 50 does without.
        return super().get_queryset(request).defer("content", "body")

    def trouble(self, row: Any) -> Trouble | None:
        if row.status == Status.ACCEPTED:
            return None
        return trouble_of(row.error_code, row.error_message)

    def compared(self, row: Any) -> list[Compared]:
        return comparing.of_transmission(row) if row.status == Status.CONFLICT else []

    @admin.display(ordering="lane__device__serial")
    def device(self, row: Transmission) -> str:
        return row.lane.device.serial

    @admin.display
    def stream(self, row: Transmission) -> str:
        return row.lane.stream

    @admin.display
    def cause(self, row: Transmission) -> str:
        return cause_of(row.error_code, row.error_message)

    @admin.display(description="next step")
    def next_step(self, row: Transmission) -> str:
        return next_step_of(row.error_code, row.error_message)

    @admin.display(description="bytes as sent")
    def body_text(self, row: Transmission) -> str:
        if row.body is None:
            return "Not sent yet."
        return readable(bytes(row.body).decode("utf-8", "backslashreplace"))


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    is_shared = True
    list_display = ("host", "is_open", "opened_at", "failures", "cause", "next_step", "probe_at")
    list_filter = ("is_open",)
    search_fields = ("host",)
    fields = (
        *("host", "is_open", "opened_at", "failures", "last_error", "cause", "next_step"),
        *("probe_at", "closed_at"),
    )
    readonly_fields = ("cause", "next_step")

    def trouble(self, row: Any) -> Trouble | None:
        return trouble_of(row.last_error.partition(":")[0]) if row.is_open else None

    @admin.display
    def cause(self, row: Breaker) -> str:
        return cause_of(row.last_error.partition(":")[0])

    @admin.display(description="next step")
    def next_step(self, row: Breaker) -> str:
        return NEXT_STEPS["kra_down"] if row.is_open else ""
