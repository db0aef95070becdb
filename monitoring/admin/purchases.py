from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from purchases import outputs
from purchases.models import Purchase, PurchaseLine, RememberedMatch, SyncMark
from purchases.outputs import NEXT_STEPS

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, ReadOnlyInline


class LineInline(ReadOnlyInline):
    model = PurchaseLine
    fields = (
        *("sequence", "supplier_code", "name", "quantity", "unit_price", "letter", "total"),
        *("item", "match_source", "confirmed_quantity", "confirmed_tax", "confirmed_total"),
    )


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    related = ("company", "branch", "transmission")
    inlines = (LineInline,)
    list_display = (
        *("number", "supplier_name", "company", "branch", "invoiced_on", "total", "state"),
        *("cause", "next_step"),
    )
    list_filter = ("state", "is_credit_note", "invoiced_on")
    search_fields = ("=supplier_pin", "=number", "=company__pin")
    search_help_text = "PIN of supplier or buyer, or the supplier's number, exactly"
    fields = (
        *("company", "branch", "supplier_pin", "supplier_name", "supplier_branch", "number"),
        *("is_credit_note", "payment_code", "control_unit", "invoiced_on", "signed_at"),
        *("taxable", "tax", "total", "remark", "state", "state_reason", "cause", "next_step"),
        *("purchase_number", "confirmed_tax", "confirmed_total", "confirmed_at"),
        *("created_at", "updated_at"),
    )
    readonly_fields = ("cause", "next_step", "purchase_number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("transmission__content", "transmission__body")

    def trouble(self, purchase: Any) -> Trouble | None:
        row = purchase.transmission
        return (
            trouble_of(row.error_code, row.error_message) if outputs.trouble_of(purchase) else None
        )

    @admin.display
    def cause(self, purchase: Purchase) -> str:
        trouble = outputs.trouble_of(purchase)
        return f"{trouble.code}: {trouble.cause}" if trouble else ""

    @admin.display(description="next step")
    def next_step(self, purchase: Purchase) -> str:
        trouble = outputs.trouble_of(purchase)
        return trouble.next_step if trouble else NEXT_STEPS[purchase.state]

    @admin.display(description="number at KRA")
    def purchase_number(self, purchase: Purchase) -> int | None:
        return purchase.transmission.number if purchase.transmission else None


@admin.register(RememberedMatch)
class RememberedMatchAdmin(ReadOnlyAdmin):
    related = ("company", "item")
    list_display = ("supplier_pin", "key", "item", "company", "updated_at")
    search_fields = ("=supplier_pin", "=company__pin", "=item__sku")
    search_help_text = "PIN of supplier or buyer, or SKU, exactly"
    fields = ("company", "supplier_pin", "key", "item", "updated_at")


@admin.register(SyncMark)
class SyncMarkAdmin(ReadOnlyAdmin):
    related = ("branch__company",)
    list_display = ("branch", "last_result_at", "synced_at")
    search_fields = ("=branch__company__pin",)
    search_help_text = "PIN of the company, exactly"
    fields = ("branch", "last_result_at", "synced_at")
