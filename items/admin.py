"""The back office reads; what KRA is told changes through the API."""

from typing import Any

from django.contrib import admin

from .models import (
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


class ReadOnlyAdmin(admin.ModelAdmin):
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    list_display = ("sku", "name", "company", "code", "tax_letter", "price", "state")
    list_filter = ("is_fiscal", "is_active", "product_type", "tax_letter", "transmission__status")
    list_select_related = ("company", "transmission")
    search_fields = ("sku", "name", "code", "barcode")


@admin.register(ItemCounter)
class ItemCounterAdmin(ReadOnlyAdmin):
    list_display = ("company", "last_number", "device", "counted_at")
    list_select_related = ("company", "device")
    search_fields = ("company__pin", "company__name")


@admin.register(Code)
class CodeAdmin(ReadOnlyAdmin):
    list_display = ("class_id", "class_name", "code", "name", "extra1", "is_active", "changed_at")
    list_filter = ("environment", "class_id", "is_active")
    search_fields = ("code", "name")


@admin.register(Classification)
class ClassificationAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "level", "tax_letter", "is_active")
    list_filter = ("environment", "level", "is_active")
    search_fields = ("code", "name")


@admin.register(SyncState)
class SyncStateAdmin(ReadOnlyAdmin):
    list_display = ("environment", "name", "synced_at", "changed_at", "last_result_at")


class LineInline(admin.TabularInline):
    model = StockMovementLine
    extra = 0
    can_delete = False
    raw_id_fields = ("item",)


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("reference", "company", "branch", "type", "occurred_at", "state")
    list_filter = ("state", "type")
    list_select_related = ("company", "branch")
    search_fields = ("reference", "lines__item__sku")
    inlines = (LineInline,)


@admin.register(ImportLine)
class ImportLineAdmin(ReadOnlyAdmin):
    list_display = ("task_code", "sequence", "name", "company", "branch", "item", "state")
    list_filter = ("state", "decision", "status_code")
    list_select_related = ("company", "branch", "item")
    search_fields = ("task_code", "declaration_number", "hs_code", "name", "item__sku")


@admin.register(ImportCursor)
class ImportCursorAdmin(ReadOnlyAdmin):
    list_display = ("branch", "last_result_at", "asked_at", "error_code", "error_message")
    list_select_related = ("branch",)


@admin.register(ImportMatch)
class ImportMatchAdmin(ReadOnlyAdmin):
    list_display = ("hs_code", "supplier_name", "name", "item", "company", "times")
    list_select_related = ("company", "item")
    search_fields = ("hs_code", "name", "item__sku")


@admin.register(ItemDefault)
class ItemDefaultAdmin(ReadOnlyAdmin):
    list_display = ("company", "category", "classification", "tax_letter", "product_type")
    list_select_related = ("company",)
    search_fields = ("company__pin", "category")


@admin.register(ItemComponent)
class ItemComponentAdmin(ReadOnlyAdmin):
    list_display = ("parent", "component", "quantity", "accepted_quantity", "company", "state")
    list_select_related = ("company", "parent", "component", "transmission")
    search_fields = ("parent__sku", "component__sku")
