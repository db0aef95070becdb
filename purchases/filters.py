import django_filters as filters

from core.filters import InstantFilter, WholeNumberFilter

from .models import Purchase, State


class PurchaseFilter(filters.FilterSet):
    state = filters.ChoiceFilter(choices=State.choices)
    supplier = filters.CharFilter(field_name="supplier_pin")
    branch = filters.CharFilter(field_name="branch__code")
    number = WholeNumberFilter()
    invoiced_from = filters.DateFilter(field_name="invoiced_on", lookup_expr="gte")
    invoiced_to = filters.DateFilter(field_name="invoiced_on", lookup_expr="lte")
    changed_since = InstantFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Purchase
        fields: tuple[str, ...] = ()
