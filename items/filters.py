from typing import Any

import django_filters as filters

from core.filters import InstantFilter, WholeNumberFilter

from .models import Classification, ImportLine, Item, MovementType, StockLevel, StockMovement
from .services.readiness import search_classifications

MOST_WORDS = 10
STATES = ("draft", "queued", "registered", "refused")


class ItemFilter(filters.FilterSet):
    state = filters.ChoiceFilter(choices=[(s, s) for s in STATES], method="in_state")
    tax = filters.CharFilter(field_name="tax_letter")
    changed_since = InstantFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Item
        fields = ("sku", "category", "is_fiscal", "is_active")

    def in_state(self, items: Any, name: str, value: str) -> Any:
        return items.in_state(value)


TYPE_WORDS = {type.label.replace(" ", "_"): type.value for type in MovementType}


class MovementFilter(filters.FilterSet):
    branch = filters.CharFilter(field_name="branch__code")
    type = filters.ChoiceFilter(
        choices=[(word, word) for pair in TYPE_WORDS.items() for word in pair], method="of_type"
    )

    class Meta:
        model = StockMovement
        fields = ("state", "reference")

    def of_type(self, movements: Any, name: str, value: str) -> Any:
        """By KRA's number or our word."""
        return movements.filter(type=TYPE_WORDS.get(value, value))


class StockFilter(filters.FilterSet):
    branch = filters.CharFilter(method="of_branch", label="Items that this branch has; its code.")

    class Meta:
        model = Item
        fields = ("sku",)

    def of_branch(self, items: Any, name: str, value: str) -> Any:
        return items.filter(pk__in=StockLevel.objects.filter(branch__code=value).values("item"))


class ClassificationFilter(filters.FilterSet):
    search = filters.CharFilter(method="matching")
    q = filters.CharFilter(method="with_words")
    level = WholeNumberFilter()

    class Meta:
        model = Classification
        fields = ("is_active",)

    def matching(self, rows: Any, name: str, value: str) -> Any:
        """A code by its beginning, a name by its words, in any order."""
        if value.isdigit():
            return rows.filter(code__startswith=value)
        for word in value.split()[:MOST_WORDS]:
            rows = rows.filter(name__icontains=word)
        return rows

    def with_words(self, rows: Any, name: str, value: str) -> Any:
        """All the words, each by its beginning and whatever its ending."""
        return search_classifications(rows, value)


class ImportFilter(filters.FilterSet):
    branch = filters.CharFilter(field_name="branch__code")
    item = filters.CharFilter(field_name="item__sku")
    matched = filters.BooleanFilter(field_name="item", lookup_expr="isnull", exclude=True)
    name = filters.CharFilter(lookup_expr="icontains")
    supplier = filters.CharFilter(field_name="supplier_name", lookup_expr="icontains")
    hs_code = filters.CharFilter(lookup_expr="startswith")
    changed_since = InstantFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = ImportLine
        fields = ("state", "decision", "task_code", "declaration_number", "status_code")
