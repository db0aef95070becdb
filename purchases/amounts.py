"""What a confirmed part of a supplier's line is worth, written down as KRA's host wants it.

Suppliers mix conventions and sometimes round to whole shillings (rule T3), but the total of a line
is what we pay under each of them. So the total is kept, and the split is computed anew.
"""

from decimal import Decimal

from core.money import round_cents
from items.tax import Convention, Line, LineAmounts, compute

from .models import PurchaseLine


def recompute(
    line: PurchaseLine, quantity: Decimal, rate: Decimal, convention: Convention
) -> tuple[Line, LineAmounts]:
    """`quantity` of what was offered. Raises ValueError where the supplier's figures make no sense.

    A whole line keeps the supplier's total to the cent.
    """
    part = _with_suppliers_price(line, quantity, rate) or Line(
        quantity=quantity,
        unit_price=line.total / line.quantity,
        letter=line.letter,
        rate=rate,
    )
    (amounts,) = compute([part], prices_include_tax=True, convention=convention)
    return part, amounts


def _with_suppliers_price(line: PurchaseLine, quantity: Decimal, rate: Decimal) -> Line | None:
    """The supplier's own price and discount, where they include the tax and lead to its total."""
    if round_cents(line.unit_price * line.quantity) - line.discount != line.total:
        return None
    return Line(
        quantity=quantity,
        unit_price=line.unit_price,
        letter=line.letter,
        rate=rate,
        discount=round_cents(line.discount * quantity / line.quantity),
        discount_percent=line.discount_percent,
    )
