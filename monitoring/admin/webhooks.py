from django.contrib import admin

from monitoring.models import Delivery, Endpoint, Event

from .read_only import ReadOnlyAdmin


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    list_display = (
        *("url", "company", "device", "events", "state", "failures", "failing_since", "next_step"),
    )
    list_filter = ("state",)
    search_fields = ("url", "description", "=company__pin")
    fields = (
        *("company", "device", "url", "events", "description", "state", "state_reason"),
        *("next_step", "failures", "failing_since", "resume_at", "last_sent_at"),
        *("previous_until", "created_at"),
    )
    readonly_fields = ("next_step",)

    @admin.display(description="next step")
    def next_step(self, endpoint: Endpoint) -> str:
        if endpoint.state == Endpoint.State.DISABLED:
            return "Mend the receiver, switch it on with PATCH /api/webhooks/…/, then replay."
        if endpoint.failures:
            return f"It fails: POST /api/webhooks/{endpoint.pk}/test/ shows what it answers."
        return ""


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    related = ("event", "endpoint__company", "event__invoice")
    list_display = (
        *("event", "reference", "endpoint", "state", "attempts", "next_attempt_at"),
        *("last_status", "last_error", "elapsed_ms", "finished_at"),
    )
    list_filter = ("state", "event__kind")
    search_fields = ("=event__key", "=event__invoice__reference", "=endpoint__company__pin")
    search_help_text = "Event, reference or PIN, exactly"
    fields = (
        *("event", "reference", "endpoint", "state", "attempts", "due_since", "next_attempt_at"),
        *("last_status", "last_error", "last_answer", "elapsed_ms", "finished_at"),
    )
    readonly_fields = ("reference",)

    @admin.display
    def reference(self, row: Delivery) -> str:
        return row.event.invoice.reference if row.event.invoice else ""


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    related = ("company", "device", "invoice")
    list_display = ("created_at", "kind", "company", "device", "invoice", "facts")
    list_filter = ("kind",)
    search_fields = ("=key", "=invoice__reference", "=company__pin")
    search_help_text = "Event, reference or PIN, exactly"
    fields = ("key", "kind", "company", "device", "invoice", "facts", "created_at")
