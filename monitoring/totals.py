"""What was sold today, by tax letter, as a Z report groups it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Sum
from msgspec import Meta, Struct

from devices.models import Device
from kra.times import NAIROBI
from sales.models import LETTERS, Invoice, Kind, State
from sales.outputs import Money, money

AMOUNTS = ["total", "taxable", "tax"]
BY_LETTER = [f"{name}_{letter.lower()}" for letter in LETTERS for name in ("taxable", "tax")]


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
    companies = {device.company_id for device in devices}
    sold = Invoice.objects.filter(company_id__in=companies)
    return _day(sold.filter(device_id__in=[device.pk for device in devices]), now)


def totals_of_companies(companies: Sequence[int], *, now: datetime) -> Day:
    """The same of all their devices."""
    return _day(Invoice.objects.filter(company_id__in=companies), now)


def _day(invoices: Any, now: datetime) -> Day:
    midnight = now.astimezone(NAIROBI).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = _sums(invoices, midnight, midnight + timedelta(days=1))
    found = {(row["is_signed"], row["kind"]): row for row in rows}
    signed, unsigned = (
        Documents(
            *[_totals(found.get((is_signed, kind))) for kind in (Kind.SALE, Kind.CREDIT_NOTE)]
        )
        for is_signed in (True, False)
    )
    return Day(midnight.date(), signed, unsigned)


def _sums(invoices: Any, start: datetime, end: datetime) -> Any:
    sold = invoices.filter(
        sold_at__gte=start, sold_at__lt=end, state=State.ACTIVE, is_training=False
    )
    has_receipt = ExpressionWrapper(Q(receipt__isnull=False), output_field=BooleanField())
    groups = sold.annotate(is_signed=has_receipt).values("kind", "is_signed")
    # The prefix keeps the sums apart from the columns they add up.
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in [*AMOUNTS, *BY_LETTER]}
    return groups.annotate(count=Count("*"), **sums)


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
