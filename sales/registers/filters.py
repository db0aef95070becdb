from typing import Any

import django_filters as filters

from core.filters import InstantFilter
from sales.models.registers import BranchUser, Customer, Insurance

STATES = ("queued", "registered", "refused")


class RecordFilter(filters.FilterSet):
    state = filters.ChoiceFilter(choices=[(s, s) for s in STATES], method="in_state")
    branch = filters.CharFilter(field_name="branch__code")
    changed_since = InstantFilter(field_name="updated_at", lookup_expr="gte")

    def in_state(self, records: Any, name: str, value: str) -> Any:
        return records.in_state(value)


class CustomerFilter(RecordFilter):
    class Meta:
        model = Customer
        fields = ("number", "pin", "is_active")


class BranchUserFilter(RecordFilter):
    class Meta:
        model = BranchUser
        fields = ("user_id", "is_active")


class InsuranceFilter(RecordFilter):
    class Meta:
        model = Insurance
        fields = ("code", "is_active")
