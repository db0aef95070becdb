"""What was sold today, by tax letter, as a Z report groups it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from devices.models import Device
from kra.times import NAIROBI
from sales.models import LETTERS, Kind
from sales.outputs import Money, money
from sales.reports.facts import AMOUNTS, BY_LETTER, documents, sums_of


class LetterTotals(Struct):
    letter: str
    taxable_amount: Money
    tax_amount: Money
    total: Money


class Totals(Struct):
    count: int
    total: Money
    taxable_amount: Money
    tax_amount: Money
    letters: Annotated[list[LetterTotals], Meta(description="Only those that occurred.")]


class Documents(Struct):
    sales: Totals
    credit_notes: Annotated[Totals, Meta(description="Positive amounts; subtract them.")]


class Day(Struct):
    """Without training, voided and superseded documents."""

    date: date
    signed: Documents
    unsigned: Annotated[Documents, Meta(description="Waiting for KRA, or refused by it.")]


def totals_of_day(devices: Sequence[Device], *, now: datetime) -> Day:
    """The documents sold on the Nairobi day of `now`. One query."""
    # The company is named too, because the index begins with it.
    companies = sorted({device.company_id for device in devices})
    return _day(companies, now, [device.pk for device in devices])


def totals_of_companies(companies: Sequence[int], *, now: datetime) -> Day:
    """The same of all their devices."""
    return _day(companies, now, None)


def _day(companies: Sequence[int], now: datetime, devices: Sequence[int] | None) -> Day:
    midnight = now.astimezone(NAIROBI).replace(hour=0, minute=0, second=0, microsecond=0)
    sold = documents(companies, midnight, midnight + timedelta(days=1), devices)
    rows = sums_of(sold, "kind", "is_signed", names=[*AMOUNTS, *BY_LETTER])
    found = {(row["is_signed"], row["kind"]): row for row in rows}
    signed, unsigned = (
        Documents(
            *[_totals(found.get((is_signed, kind))) for kind in (Kind.SALE, Kind.CREDIT_NOTE)]
        )
        for is_signed in (True, False)
    )
    return Day(midnight.date(), signed, unsigned)


def _totals(row: dict[str, Any] | None) -> Totals:
    row = row or {"count": 0}
    total, taxable, tax = (money(row.get(f"sum_{name}", Decimal(0))) for name in AMOUNTS)
    return Totals(row["count"], total, taxable, tax, _letters(row))


def _letters(row: dict[str, Any]) -> list[LetterTotals]:
    amounts = [
        (letter, *(row.get(f"sum_{name}_{letter.lower()}", Decimal(0)) for name in AMOUNTS[1:]))
        for letter in LETTERS
    ]
    return [
        LetterTotals(letter, money(taxable), money(tax), money(taxable + tax))
        for letter, taxable, tax in amounts
        if taxable or tax
    ]
