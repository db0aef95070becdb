from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest

from devices.models import Call, Device, SigningKey

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, cause_of, next_step_of, readable

State = Device.State
NEXT_STEPS: dict[str, str] = {
    State.REGISTERED: "Initialise it: POST /api/device/init/ (docs/go-live.md).",
    State.INITIALISING: "Wait for KRA's answer. If none came, read the call and KRA's advice.",
    State.SUSPENDED: "Its sales wait. Resume it on its page, or by POST /api/device/…/resume/.",
    State.RESTORED: "Check its counter with KRA: manage.py resume_restored SERIAL.",
    State.REFUSED: "Read the reason, settle it with KRA, then resume the device.",
}


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    related = ("company", "branch")
    list_display = (
        *("serial", "company", "branch", "state", "state_reason", "has_key", "next_step"),
    )
    list_filter = ("state", "company__environment", "company__profile")
    search_fields = ("serial", "scu_id", "company__pin", "company__name")
    fields = (
        *("serial", "company", "branch", "state", "state_reason", "next_step", "has_key"),
        *("scu_id", "machine_number", "kra_device_id"),
        *("initialising_since", "initialised_at", "created_at"),
    )
    readonly_fields = ("has_key", "next_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        stored = ExpressionWrapper(~Q(key=""), output_field=BooleanField())
        devices: QuerySet[Any] = super().get_queryset(request).annotate(key_is_stored=stored)
        return devices

    def trouble(self, device: Any) -> Trouble | None:
        """KRA's word when it refused the device; our own sentence for the other states."""
        if device.state == State.ACTIVE:
            return None
        step = NEXT_STEPS.get(device.state, "")
        said = Call.objects.filter(device=device, outcome=Call.Outcome.DEVICE_REFUSED)
        last = said.order_by("-pk").first() if device.state == State.REFUSED else None
        found = trouble_of(last.code, last.reason) if last else None
        return found or Trouble(device.state, "", device.state_reason, step)

    @admin.display(description="has its key", boolean=True)
    def has_key(self, device: Any) -> bool:
        return bool(device.key_is_stored)

    @admin.display(description="next step")
    def next_step(self, device: Device) -> str:
        return NEXT_STEPS.get(device.state, "")


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """Our own evidence keys: the public part."""

    company_path = "device__company_id"
    related = ("device",)
    list_display = ("device", "version", "fingerprint", "created_at", "retired_at")
    list_filter = ("retired_at",)
    search_fields = ("device__serial", "fingerprint")
    fields = ("device", "version", "public_key", "fingerprint", "created_at", "retired_at")


def pruned(call: Call) -> str:
    if call.pruned_at is None:
        return ""
    return f"body pruned on {call.pruned_at:%Y-%m-%d}; its SHA-256 is in the journal"


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value or "open", value or "open") for value in Call.Outcome.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(outcome="" if value == "open" else value)


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    list_display = (
        *("started_at", "company", "device", "endpoint", "reference", "number", "attempt"),
        *("outcome_word", "http_status", "elapsed_ms", "cause", "next_step"),
    )
    list_filter = (OutcomeFilter, "started_at", "company__environment")
    search_fields = ("=reference", "=code", "=request_id", "=device__serial", "=company__pin")
    search_help_text = "Reference, code, request id, device or PIN, exactly"
    fields = (
        *("company", "device", "endpoint", "reference", "number", "attempt", "transmission"),
        *("started_at", "finished_at", "elapsed_ms", "http_status", "outcome_word", "code"),
        *("reason", "cause", "next_step", "request_id", "request_text", "answer_text"),
    )
    readonly_fields = ("outcome_word", "cause", "next_step", "request_text", "answer_text")

    def trouble(self, call: Any) -> Trouble | None:
        if call.outcome in (Call.Outcome.ACCEPTED, Call.Outcome.EMPTY):
            return None
        return trouble_of(call.code, call.reason)

    @admin.display(description="outcome", ordering="outcome")
    def outcome_word(self, call: Call) -> str:
        return call.outcome or "open"

    @admin.display
    def cause(self, call: Call) -> str:
        return cause_of(call.code, call.reason)

    @admin.display(description="next step")
    def next_step(self, call: Call) -> str:
        return next_step_of(call.code, call.reason)

    @admin.display(description="request (secrets masked)")
    def request_text(self, call: Call) -> str:
        return pruned(call) or readable(call.request)

    @admin.display(description="answer (secrets masked)")
    def answer_text(self, call: Call) -> str:
        return pruned(call) or readable(call.answer)
