import django_filters as filters
from django import forms


class WholeNumberFilter(filters.NumberFilter):
    """For integer columns: as a Decimal, `-1e999999999` would be written out in all its digits."""

    field_class = forms.IntegerField
