"""Amounts of a stock line, tax included: taxable = gross / (1 + rate), tax the rest (rule T3)."""

from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from core.money import CENT, round_cents


class Amounts(NamedTuple):
    unit_price: Decimal
    gross: Decimal
    taxable: Decimal
    tax: Decimal


def line_amounts(quantity: Decimal, unit_price: Decimal, rate: Decimal) -> Amounts:
    """`rate` is in percent; the quantity is positive."""
    gross = round_cents(quantity * unit_price)
    if gross == 0:
        # Rule S5: KRA reads a line total of 0 as missing, so free goods get a nominal price.
        unit_price = max(CENT, (CENT / quantity).quantize(CENT, rounding=ROUND_UP))
        gross = round_cents(quantity * unit_price)
    taxable = round_cents(gross * 100 / (100 + rate))
    return Amounts(unit_price, gross, taxable, gross - taxable)
