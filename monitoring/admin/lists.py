from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html

from items.models import Notice, TaxRate
from items.services import approve_rate
from monitoring.roles import DOES, access_of

from .read_only import ReadOnlyAdmin


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    """Rates in percent. One that KRA changed is not used before somebody approves it here."""

    is_shared = True
    actions = ("approve",)
    list_display = (
        *("environment", "letter", "rate", "in_use", "valid_from", "approved", "next_step"),
    )
    list_filter = ("approved", "environment", "letter")
    search_fields = ("letter", "environment")
    fields = ("environment", "letter", "rate", "in_use", "valid_from", "approved", "next_step")
    readonly_fields = ("in_use", "next_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        used = TaxRate.objects.usable().filter(
            environment=OuterRef("environment"), letter=OuterRef("letter")
        )
        latest = used.order_by("-valid_from").values("rate")[:1]
        rows: QuerySet[Any] = super().get_queryset(request).annotate(used=Subquery(latest))
        return rows

    @admin.display(description="approved latest")
    def in_use(self, rate: Any) -> str:
        return f"{rate.used} %" if rate.used is not None else ""

    @admin.display(description="next step")
    def next_step(self, rate: Any) -> str:
        if rate.approved:
            return ""
        return (
            f"KRA changed {rate.letter} from {rate.used} % to {rate.rate} %. Compare with KRA's "
            "notice, then choose the action “Use the rate”."
        )

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return access_of(request).may_anywhere(DOES["approve_rate"])

    @admin.action(
        description="Use the rate that KRA changed, from its day on", permissions=["approve"]
    )
    def approve(self, request: HttpRequest, rates: QuerySet[Any]) -> None:
        held = list(rates.filter(approved=False))
        for rate in held:
            approve_rate(environment=rate.environment, letter=rate.letter)
            said = f"{rate.letter}: {rate.rate} % instead of {rate.used} % from {rate.valid_from}"
            self.log_change(request, rate, said)
            self.message_user(request, f"{rate.environment}: {said}.")
        if not held:
            self.message_user(request, "None of these waits for a yes.", messages.WARNING)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    is_shared = True
    ordering = ("-number",)
    list_display = ("number", "environment", "title", "author", "published_at")
    list_filter = ("environment", "published_at")
    search_fields = ("title", "text")
    fields = (
        *("environment", "number", "title", "text", "link", "author", "published_at"),
        "changed_at",
    )
    readonly_fields = ("link",)

    @admin.display(description="KRA's page")
    def link(self, notice: Notice) -> str:
        return format_html('<a href="{0}" rel="noreferrer">{0}</a>', notice.url)
