from typing import Any

import django_filters as filters

from core.filters import WholeNumberFilter

from .models import Classification, Item, StockMovement

STATES = ("draft", "queued", "registered", "refused")


class ItemFilter(filters.FilterSet):
    state = filters.ChoiceFilter(choices=[(s, s) for s in STATES], method="in_state")
    tax = filters.CharFilter(field_name="tax_letter")
    changed_since = filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Item
        fields = ("sku", "is_fiscal", "is_active")

    def in_state(self, items: Any, name: str, value: str) -> Any:
        return items.in_state(value)


class MovementFilter(filters.FilterSet):
    branch = filters.CharFilter(field_name="branch__code")

    class Meta:
        model = StockMovement
        fields = ("state", "type", "reference")


class StockFilter(filters.FilterSet):
    class Meta:
        model = Item
        fields = ("sku",)


class ClassificationFilter(filters.FilterSet):
    search = filters.CharFilter(method="matching")
    level = WholeNumberFilter()

    class Meta:
        model = Classification
        fields = ("is_active",)

    def matching(self, rows: Any, name: str, value: str) -> Any:
        """A code by its beginning, a name by any part."""
        return (
            rows.filter(code__startswith=value)
            if value.isdigit()
            else rows.filter(name__icontains=value)
        )
