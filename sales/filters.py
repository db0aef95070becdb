from typing import Any

import django_filters as filters
from django.db.models import Q

from core.filters import InstantFilter, WholeNumberFilter
from outbox.models import Status

from .models import PUBLIC_STATUS, Invoice, State

STATUSES = sorted({*PUBLIC_STATUS.values(), "superseded", "training"})


class InvoiceFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=[(s, s) for s in STATUSES], method="by_status")
    device = filters.CharFilter(field_name="device__serial")
    branch = filters.CharFilter(field_name="branch__code")
    sold_from = InstantFilter(field_name="sold_at", lookup_expr="gte")
    sold_to = InstantFilter(field_name="sold_at", lookup_expr="lt")
    changed_since = InstantFilter(method="by_change")
    number = WholeNumberFilter(field_name="transmission__number")

    class Meta:
        model = Invoice
        fields = ["reference", "kind", "customer_pin"]

    def by_status(self, queryset: Any, name: str, value: str) -> Any:
        if value == "training":
            return queryset.filter(is_training=True, state=State.ACTIVE)
        if value == "superseded":
            return queryset.filter(state=State.SUPERSEDED)
        if value == "voided":
            return queryset.filter(state=State.VOIDED)
        wanted = [Status(s).value for s, word in PUBLIC_STATUS.items() if word == value]
        return queryset.filter(transmission__status__in=wanted, state=State.ACTIVE)

    def by_change(self, queryset: Any, name: str, value: Any) -> Any:
        """Made, decided by KRA, or decided by people since then."""
        decided = Q(transmission__finished_at__gte=value) | Q(state_at__gte=value)
        return queryset.filter(decided | Q(created_at__gte=value))
