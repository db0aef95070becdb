"""The catalogue and KRA's lists. What KRA is told changes through the API."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from items.models import (
    Classification,
    Code,
    ImportCursor,
    ImportLine,
    ImportMatch,
    Item,
    ItemComponent,
    ItemCounter,
    ItemDefault,
    StockMovement,
    StockMovementLine,
    SyncState,
)

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, ReadOnlyInline, cause_of, next_step_of


class OwedAdmin(ReadOnlyAdmin):
    """Rows that are told to KRA by a message; the message's trouble stands on the row."""

    readonly_fields: Any = ("state", "cause", "next_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("transmission__content", "transmission__body")

    def trouble(self, row: Any) -> Trouble | None:
        debt = row.transmission
        return trouble_of(debt.error_code, debt.error_message) if debt else None

    @admin.display
    def state(self, row: Any) -> str:
        return str(row.state)

    @admin.display
    def cause(self, row: Any) -> str:
        debt = row.transmission
        return cause_of(debt.error_code, debt.error_message) if debt else ""

    @admin.display(description="next step")
    def next_step(self, row: Any) -> str:
        debt = row.transmission
        return next_step_of(debt.error_code, debt.error_message) if debt else ""


@admin.register(Item)
class ItemAdmin(OwedAdmin):
    related = ("company", "transmission")
    list_display = (
        *("sku", "name", "company", "code", "tax_letter", "price", "state", "cause", "next_step"),
    )
    list_filter = ("is_fiscal", "is_active", "product_type", "tax_letter", "transmission__status")
    search_fields = ("=sku", "name", "=code", "=barcode", "=company__pin")
    search_help_text = "SKU, code, barcode or PIN exactly, or part of the name"
    fields = (
        *("company", "sku", "name", "code", "classification", "product_type", "tax_letter"),
        *("price", "packaging_unit", "quantity_unit", "barcode", "category", "origin_country"),
        *("is_fiscal", "is_active", "state", "cause", "next_step", "registered_at"),
        *("created_at", "updated_at"),
    )


@admin.register(ItemCounter)
class ItemCounterAdmin(ReadOnlyAdmin):
    company_path = "company_id"
    related = ("company", "device")
    list_display = ("company", "last_number", "device", "counted_at")
    search_fields = ("=company__pin", "company__name")
    fields = ("company", "last_number", "device", "counted_at")


@admin.register(Code)
class CodeAdmin(ReadOnlyAdmin):
    is_shared = True
    list_display = ("class_id", "class_name", "code", "name", "extra1", "is_active", "changed_at")
    list_filter = ("environment", "class_id", "is_active")
    search_fields = ("=code", "name")
    fields = (
        *("environment", "class_id", "class_name", "code", "name", "description", "sort"),
        *("extra1", "extra2", "extra3", "is_active", "changed_at"),
    )


@admin.register(Classification)
class ClassificationAdmin(ReadOnlyAdmin):
    is_shared = True
    list_display = ("code", "name", "level", "tax_letter", "is_active")
    list_filter = ("environment", "level", "is_active")
    search_fields = ("=code", "name")
    fields = ("environment", "code", "name", "level", "tax_letter", "is_active")


@admin.register(SyncState)
class SyncStateAdmin(ReadOnlyAdmin):
    is_shared = True
    list_display = ("environment", "name", "synced_at", "changed_at", "last_result_at")
    list_filter = ("environment", "name")
    search_fields = ("name",)
    fields = ("environment", "name", "synced_at", "changed_at", "last_result_at", "sha256")


class MovementLineInline(ReadOnlyInline):
    model = StockMovementLine
    fields = ("sequence", "item", "quantity", "unit_price")


@admin.register(StockMovement)
class StockMovementAdmin(OwedAdmin):
    related = ("company", "branch", "device", "transmission")
    inlines = (MovementLineInline,)
    list_display = (
        *("reference", "company", "branch", "type", "occurred_at", "state", "cause", "next_step"),
    )
    list_filter = ("state", "type", "occurred_at")
    search_fields = ("=reference", "=lines__item__sku", "=company__pin")
    search_help_text = "Reference, SKU or PIN, exactly"
    fields = (
        *("company", "branch", "device", "type", "reference", "occurred_at", "state", "cause"),
        *("next_step", "counterpart", "customer_pin", "customer_name", "remark", "created_at"),
    )


@admin.register(ImportLine)
class ImportLineAdmin(OwedAdmin):
    related = ("company", "branch", "item", "transmission")
    list_display = (
        *("task_code", "sequence", "name", "company", "branch", "item", "state", "cause"),
        "next_step",
    )
    list_filter = ("state", "decision", "status_code")
    search_fields = ("=task_code", "=declaration_number", "=hs_code", "name", "=item__sku")
    fields = (
        *("company", "branch", "task_code", "declared_on", "sequence", "hs_code", "name"),
        *("declaration_number", "status_code", "origin_country", "export_country"),
        *("quantity", "quantity_unit", "gross_weight", "net_weight", "supplier_name"),
        *("agent_name", "amount", "currency", "exchange_rate", "item", "state", "decision"),
        *("cause", "next_step", "remark", "stock_quantity", "stock_price", "decided_at"),
    )


@admin.register(ImportCursor)
class ImportCursorAdmin(ReadOnlyAdmin):
    company_path = "branch__company_id"
    related = ("branch__company",)
    list_display = ("branch", "last_result_at", "asked_at", "error_code", "cause", "next_step")
    search_fields = ("=branch__company__pin",)
    fields = ("branch", "last_result_at", "asked_at", "error_code", "cause", "next_step")
    readonly_fields = ("cause", "next_step")

    @admin.display
    def cause(self, cursor: ImportCursor) -> str:
        return cause_of(cursor.error_code, cursor.error_message)

    @admin.display(description="next step")
    def next_step(self, cursor: ImportCursor) -> str:
        return next_step_of(cursor.error_code, cursor.error_message)


@admin.register(ImportMatch)
class ImportMatchAdmin(ReadOnlyAdmin):
    related = ("company", "item")
    list_display = ("hs_code", "supplier_name", "name", "item", "company", "times")
    search_fields = ("=hs_code", "name", "=item__sku")
    fields = ("company", "hs_code", "supplier_name", "name", "item", "times", "updated_at")


@admin.register(ItemDefault)
class ItemDefaultAdmin(ReadOnlyAdmin):
    related = ("company",)
    list_display = ("company", "category", "classification", "tax_letter", "product_type")
    search_fields = ("=company__pin", "category")
    fields = (
        *("company", "category", "classification", "tax_letter", "product_type"),
        *("packaging_unit", "quantity_unit", "updated_at"),
    )


@admin.register(ItemComponent)
class ItemComponentAdmin(OwedAdmin):
    related = ("company", "parent", "component", "transmission")
    list_display = (
        *("parent", "component", "quantity", "accepted_quantity", "company", "state", "cause"),
        "next_step",
    )
    search_fields = ("=parent__sku", "=component__sku")
    fields = (
        *("company", "parent", "component", "quantity", "accepted_quantity", "state", "cause"),
        *("next_step", "updated_at"),
    )
