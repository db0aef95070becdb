from datetime import UTC
from typing import Any

import django_filters as filters
from django import forms


class InstantField(filters.fields.IsoDateTimeField):
    """A moment in UTC: PostgreSQL takes no offset of sixteen hours or more."""

    def to_python(self, value: Any) -> Any:
        moment = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment and moment.tzinfo else moment
        except OverflowError as exc:
            raise forms.ValidationError("There is no such moment.") from exc


class InstantFilter(filters.IsoDateTimeFilter):
    field_class = InstantField


class WholeNumberFilter(filters.NumberFilter):
    """For integer columns: as a Decimal, `-1e999999999` would be written out in all its digits."""

    field_class = forms.IntegerField
