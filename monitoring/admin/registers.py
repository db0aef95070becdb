from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sales.models import BranchRecord, BranchUser, Customer, Insurance, PinRecord

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, cause_of, next_step_of

STATE = ("state_word", "cause", "next_step")
KEPT = ("company", "branch", "device", "is_active", *STATE, "registered_at", "updated_at")


class RecordAdmin(ReadOnlyAdmin):
    """A record of a branch and where it stands with KRA."""

    related = ("company", "branch", "device", "transmission")
    list_filter = ("is_active", "transmission__status", "branch__is_head_office")
    readonly_fields = STATE

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("transmission__content", "transmission__body")

    def trouble(self, record: Any) -> Trouble | None:
        debt = record.transmission
        return trouble_of(debt.error_code, debt.error_message)

    @admin.display(description="state", ordering="transmission__status")
    def state_word(self, record: BranchRecord) -> str:
        return record.state

    @admin.display
    def cause(self, record: BranchRecord) -> str:
        debt = record.transmission
        return cause_of(debt.error_code, debt.error_message)

    @admin.display(description="next step")
    def next_step(self, record: BranchRecord) -> str:
        debt = record.transmission
        return next_step_of(debt.error_code, debt.error_message)


@admin.register(Customer)
class CustomerAdmin(RecordAdmin):
    list_display = ("number", "name", "pin", "company", "branch", *STATE)
    search_fields = ("=number", "=pin", "name", "=company__pin")
    search_help_text = "Number or PIN exactly, or part of the name"
    fields = ("number", "pin", "name", "address", "phone", "email", "fax", "remark", *KEPT)


@admin.register(BranchUser)
class BranchUserAdmin(RecordAdmin):
    list_display = ("user_id", "name", "company", "branch", *STATE)
    search_fields = ("=user_id", "name", "=company__pin")
    search_help_text = "Id exactly, or part of the name"
    fields = ("user_id", "name", "address", "contact", "authority", "remark", *KEPT)


@admin.register(Insurance)
class InsuranceAdmin(RecordAdmin):
    list_display = ("code", "name", "rate", "company", "branch", *STATE)
    search_fields = ("=code", "name", "=company__pin")
    search_help_text = "Code exactly, or part of the name"
    fields = ("code", "name", "rate", *KEPT)


@admin.register(PinRecord)
class PinRecordAdmin(ReadOnlyAdmin):
    list_display = ("pin", "name", "status_code", "environment", "asked_at")
    list_filter = ("environment", "status_code")
    search_fields = ("=pin", "name")
    search_help_text = "PIN exactly, or part of the name"
    fields = ("pin", "name", "status_code", "address", "environment", "asked_at")
