"""Tax of a basket: pure functions on Decimal (rules T3–T6).

A line has one economic split whatever KRA's host wants to see: gross = taxable + tax. A convention
only decides how that split is written down. Amounts are shillings, rates percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import NamedTuple

from core.money import CENT, ZERO, round_cents, spread

HUNDRED = Decimal(100)
SHILLING = Decimal(1)


class Convention(StrEnum):
    """How a host writes amounts down (rule T3)."""

    INCLUSIVE_SPLIT = "inclusive-split"
    NET_BASE = "net-base"
    GROSS_ALL = "gross-all"
    # Seen in published samples only; never sent.
    GROSS_ALL_WHOLE_TAX = "gross-all-whole-shilling-tax"
    WHOLE_TAXABLE = "whole-shilling-taxable"


@dataclass(frozen=True, slots=True)
class Line:
    """What was sold: a unit price, and discounts as amounts in the same price mode."""

    quantity: Decimal
    unit_price: Decimal
    letter: str
    rate: Decimal
    discount: Decimal = ZERO
    discount_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LineAmounts:
    """A line as written down: total = what the buyer pays for it."""

    unit_price: Decimal
    supply: Decimal
    discount_percent: Decimal
    discount: Decimal
    taxable: Decimal
    tax: Decimal
    total: Decimal


class Split(NamedTuple):
    taxable: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over lines, never recomputed from a total (rules T4, T5)."""

    taxable: dict[str, Decimal]
    tax: dict[str, Decimal]
    discount: Decimal
    total: Decimal

    @property
    def total_taxable(self) -> Decimal:
        return sum(self.taxable.values(), ZERO)

    @property
    def total_tax(self) -> Decimal:
        return sum(self.tax.values(), ZERO)


def discounted(lines: Sequence[Line], order_discount: Decimal) -> list[Line]:
    """Spread an order's discount over its lines by value, in cents that add up.

    Raises ValueError when the discount is larger than what it is taken from.
    """
    values = [round_cents(line.unit_price * line.quantity) - line.discount for line in lines]
    if order_discount > sum(values, ZERO):
        raise ValueError("the discount is larger than the sale")
    shares = spread(order_discount, values)
    return [
        Line(
            quantity=line.quantity,
            unit_price=line.unit_price,
            letter=line.letter,
            rate=line.rate,
            discount=line.discount + share,
            discount_percent=None if share else line.discount_percent,
        )
        for line, share in zip(lines, shares, strict=True)
    ]


def compute(
    lines: Sequence[Line], *, prices_include_tax: bool, convention: Convention
) -> list[LineAmounts]:
    """The amounts of each line under a convention. Raises ValueError for a negative line."""
    return [_amounts(line, prices_include_tax, convention) for line in lines]


def part_of(line: Line, gross: Decimal, convention: Convention) -> LineAmounts:
    """The amounts of what is given back of a line, when that is worth `gross`."""
    taxable, tax = _split(gross, line.rate, convention)
    after = taxable if convention == Convention.NET_BASE else gross
    return _written(line, line.unit_price, after, Split(taxable, tax, gross))


def totals(lines: Sequence[Line], amounts: Sequence[LineAmounts]) -> Totals:
    taxable = dict.fromkeys("ABCDE", ZERO)
    tax = dict.fromkeys("ABCDE", ZERO)
    for line, amount in zip(lines, amounts, strict=True):
        taxable[line.letter] += amount.taxable
        tax[line.letter] += amount.tax
    return Totals(
        taxable=taxable,
        tax=tax,
        discount=sum((a.discount for a in amounts), ZERO),
        total=sum((a.total for a in amounts), ZERO),
    )


def _amounts(line: Line, inclusive: bool, convention: Convention) -> LineAmounts:
    before = round_cents(line.unit_price * line.quantity)
    after = before - line.discount
    if after < 0 or line.discount < 0:
        raise ValueError("the discount is larger than the line")
    gross = after if inclusive else after + round_cents(after * line.rate / HUNDRED)
    if convention == Convention.NET_BASE:
        return _net_base(line, gross, after, inclusive)
    return _gross_priced(line, gross, inclusive, convention)


def _net_base(line: Line, gross: Decimal, after: Decimal, inclusive: bool) -> LineAmounts:
    """Prices without tax; tax on top."""
    taxable = taxable_of(gross, line.rate) if inclusive else after
    price = line.unit_price / (1 + line.rate / HUNDRED) if inclusive else line.unit_price
    return _written(line, price, taxable, Split(taxable, gross - taxable, gross))


def _gross_priced(
    line: Line, gross: Decimal, inclusive: bool, convention: Convention
) -> LineAmounts:
    """Prices with tax; the conventions differ in what they call taxable."""
    taxable, tax = _split(gross, line.rate, convention)
    price = line.unit_price if inclusive else line.unit_price * (1 + line.rate / HUNDRED)
    written = _written(line, price, gross, Split(taxable, tax, gross))
    if convention != Convention.WHOLE_TAXABLE:
        return written
    return LineAmounts(written.unit_price, taxable, ZERO, ZERO, taxable, tax, gross)


def _split(gross: Decimal, rate: Decimal, convention: Convention) -> tuple[Decimal, Decimal]:
    if convention in (Convention.INCLUSIVE_SPLIT, Convention.NET_BASE):
        taxable = taxable_of(gross, rate)
        return taxable, gross - taxable
    if convention == Convention.WHOLE_TAXABLE:
        taxable = gross if rate == 0 else _whole(gross / (1 + rate / HUNDRED))
        return taxable, gross - taxable
    tax = gross * rate / (HUNDRED + rate)
    whole = convention == Convention.GROSS_ALL_WHOLE_TAX
    return gross, _whole(tax) if whole else round_cents(tax)


def taxable_of(gross: Decimal, rate: Decimal) -> Decimal:
    return round_cents(gross / (1 + rate / HUNDRED))


def _whole(amount: Decimal) -> Decimal:
    return amount.quantize(SHILLING, rounding=ROUND_HALF_UP)


def _written(line: Line, price: Decimal, after: Decimal, split: Split) -> LineAmounts:
    """Make price × quantity − discount come out exactly.

    The price is converted, from without tax or from a currency, and may hold more than two
    decimals. Where a rounded price does not multiply out, it is rounded up to the next cent and the
    surplus is shown as discount, so that total and tax stay those of the whole line (rule T4).
    """
    price = round_cents(price)
    supply = round_cents(price * line.quantity)
    if supply < after:
        price = (after / line.quantity).quantize(CENT, rounding=ROUND_CEILING)
        supply = round_cents(price * line.quantity)
    discount = supply - after
    percent = line.discount_percent
    if percent is None or discount != round_cents(supply * percent / HUNDRED):
        percent = round_cents(discount * HUNDRED / supply) if supply else ZERO
    return LineAmounts(price, supply, percent, discount, *split)
