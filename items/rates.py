"""Tax rates in percent, by letter and day: KRA's own, approved, or the published ones."""

import time
from datetime import date
from decimal import Decimal

from .models import TaxRate

# Rules T1, T2: the published rates, for an environment that was never synced. Letter E was 8 in
# 2024 and 0 in every capture of 2026.
PUBLISHED = {
    "A": Decimal(0),
    "B": Decimal(16),
    "C": Decimal(0),
    "D": Decimal(0),
    "E": Decimal(0),
}
CACHE_SECONDS = 30.0

_Rows = list[tuple[str, Decimal, date]]
_cache: dict[str, tuple[float, _Rows]] = {}


def rates_on(environment: str, day: date) -> dict[str, Decimal]:
    """The rate of each of the five letters on a day in Nairobi.

    A change that no person has approved is not used. An approval reaches every process within
    CACHE_SECONDS.
    """
    rates = dict(PUBLISHED)
    for letter, rate, valid_from in _approved(environment):
        if valid_from <= day:
            rates[letter] = rate
    return rates


def rates_ever(environment: str) -> dict[str, set[Decimal]]:
    """All rates at which a letter can have been sold; most have one."""
    rates = {letter: {rate} for letter, rate in PUBLISHED.items()}
    # Not from the cache: another process may have sold at a rate that this one does not know yet.
    usable = TaxRate.objects.usable().filter(environment=environment)
    for letter, rate in usable.values_list("letter", "rate"):
        rates[letter].add(rate)
    return rates


def forget() -> None:
    """Read the rates again at once."""
    _cache.clear()


def _approved(environment: str) -> _Rows:
    until, rows = _cache.get(environment, (0.0, []))
    if time.monotonic() >= until:
        usable = TaxRate.objects.usable().filter(environment=environment).order_by("valid_from")
        rows = list(usable.values_list("letter", "rate", "valid_from"))
        _cache[environment] = (time.monotonic() + CACHE_SECONDS, rows)
    return rows
