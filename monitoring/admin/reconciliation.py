from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from monitoring.acts import comparing
from monitoring.acts.comparing import Compared
from sales.models import Difference, ReconciledDay, Reconciliation
from sales.reconciliation.outputs import next_step_of

from .read_only import ReadOnlyAdmin, ReadOnlyInline


class DayInline(ReadOnlyInline):
    model = ReconciledDay
    fields = (
        *("day", "is_latest"),
        *("our_sales", "our_credit_notes", "our_total", "our_vat"),
        *("kra_sales", "kra_credit_notes", "kra_total", "kra_vat"),
    )


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    inlines = (DayInline,)
    list_display = (
        *("id", "company", "device", "first_day", "last_day", "verdict", "reason"),
        *("open_differences", "started_at", "finished_at", "requested_by"),
    )
    list_filter = ("verdict", "stage", "first_day")
    search_fields = ("=company__pin", "=device__serial")
    search_help_text = "PIN or device, exactly"
    fields = (
        *("company", "device", "first_day", "last_day", "stage", "verdict", "reason"),
        *("open_differences", "requested_by", "started_at", "asked_at", "finished_at"),
        *("not_before", "unreadable", "look_ups"),
    )
    readonly_fields = ("open_differences",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        is_open = Q(differences__state=Difference.State.OPEN)
        runs: Any = super().get_queryset(request)
        counted: QuerySet[Any] = runs.annotate(open_cases=Count("differences", filter=is_open))
        return counted

    @admin.display(description="open differences")
    def open_differences(self, run: Any) -> str:
        address = reverse("admin:sales_difference_changelist")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', address, run.pk, run.open_cases)


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin):
    related = ("company", "device", "run", "invoice")
    list_display = (
        *("number", "kind", "company", "device", "day", "our_total", "kra_total", "our_vat"),
        *("kra_vat", "state", "how", "next_step"),
    )
    list_filter = ("state", "kind", "how", "day")
    search_fields = ("=number", "=company__pin", "=device__serial")
    search_help_text = "Fiscal number, PIN or device, exactly"
    fields = (
        *("company", "device", "run", "day", "number", "last_number", "kind", "detail"),
        *("invoice_link", "our_kind", "our_total", "our_vat"),
        *("kra_kind", "kra_total", "kra_vat", "looked_at", "next_step"),
        *("state", "how", "reason", "resolved_by", "resolved_at", "created_at"),
    )
    readonly_fields = ("invoice_link", "next_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).exclude(state=Difference.State.SUSPECTED)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)

    def compared(self, case: Any) -> list[Compared]:
        return comparing.of_difference(case) if case.state == Difference.State.OPEN else []

    @admin.display(description="our invoice")
    def invoice_link(self, case: Difference) -> str:
        if case.invoice is None:
            return "None."
        address = reverse("admin:sales_invoice_change", args=[case.invoice_id])
        return format_html('<a href="{}">{}</a>', address, case.invoice.reference)

    @admin.display(description="next step")
    def next_step(self, case: Difference) -> str:
        return next_step_of(case)
