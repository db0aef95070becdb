"""The tax of a basket. Purchases compute with the same functions, so they live a room below."""

from items.tax import (
    Convention,
    Line,
    LineAmounts,
    Totals,
    compute,
    discounted,
    part_of,
    taxable_of,
    totals,
)

__all__ = [
    "Convention",
    "Line",
    "LineAmounts",
    "Totals",
    "compute",
    "discounted",
    "part_of",
    "taxable_of",
    "totals",
]
