from django.contrib import admin

from items.models import StockLevel

from .read_only import ReadOnlyAdmin


@admin.register(StockLevel)
class StockLevelAdmin(ReadOnlyAdmin):
    related = ("branch__company", "item")
    list_display = ("branch", "item", "level", "kra_level", "pending", "next_step")
    list_filter = ("branch__company__environment",)
    search_fields = ("=item__sku", "item__name", "=branch__company__pin")
    fields = ("branch", "item", "level", "kra_level", "pending", "next_step")
    readonly_fields = ("pending", "next_step")

    @admin.display(description="next step")
    def next_step(self, level: StockLevel) -> str:
        if level.level < 0:
            return "More was sold than booked in. Book what came in: POST /api/stock/."
        if level.pending:
            return "Movements are under way or wait; GET /api/stock/movements/ shows them."
        return ""
