"""Money is Decimal shillings with two decimals, rounded half up (rule T4), once per line."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def round_cents(amount: Decimal) -> Decimal:
    """Round shillings to whole cents, half up."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def spread(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split shillings over weights in whole cents that add up exactly (largest remainder).

    Raises ValueError when there is something to split and nothing to split it over.
    """
    total = sum(weights, ZERO)
    if amount == 0:
        return [ZERO] * len(weights)
    if total <= 0:
        raise ValueError("nothing to spread the amount over")
    exact = [amount * weight / total for weight in weights]
    shares = [share.quantize(CENT, rounding="ROUND_DOWN") for share in exact]
    missing = int((amount - sum(shares, ZERO)) / CENT)
    by_remainder = sorted(range(len(shares)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[:missing]:
        shares[i] += CENT
    return shares
