from typing import Any

import django_filters as filters
from django.db.models import Q

from core.filters import InstantFilter, WholeNumberFilter
from devices.models import Call

# In the database an exchange without an outcome has an empty one.
OUTCOMES = [(value or "open", value or "open") for value in Call.Outcome.values]


class CallFilter(filters.FilterSet):
    device = filters.CharFilter(field_name="device__serial")
    endpoint = filters.CharFilter()
    reference = filters.CharFilter()
    number = WholeNumberFilter()
    code = filters.CharFilter()
    outcome = filters.ChoiceFilter(choices=OUTCOMES, method="by_outcome")
    started_from = InstantFilter(field_name="started_at", lookup_expr="gte")
    started_to = InstantFilter(field_name="started_at", lookup_expr="lt")
    status = WholeNumberFilter(field_name="http_status")
    min_ms = WholeNumberFilter(field_name="elapsed_ms", lookup_expr="gte")
    search = filters.CharFilter(method="by_text", label="Words in reason, reference or answer")

    class Meta:
        model = Call
        fields = ["request_id"]

    def by_outcome(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(outcome="" if value == "open" else value)

    def by_text(self, queryset: Any, name: str, value: str) -> Any:
        """Each word, anywhere. Bounded by the tenant; narrow it by time on large histories."""
        for word in value.split()[:5]:
            found = Q(reason__icontains=word) | Q(reference__icontains=word)
            queryset = queryset.filter(found | Q(answer__icontains=word))
        return queryset
