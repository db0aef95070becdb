"""The figures of a VAT return: output tax by letter and rate, credit notes apart, purchases too.

By day of sale, as KRA's own list of invoices goes. Only what KRA has signed is in the sums;
the rest stands beside them.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils.module_loading import import_string
from msgspec import Meta, Struct

from core.money import ZERO
from items.rates import rates_ever
from sales.models import LETTERS, Kind
from sales.outputs import Money, money

from .day import plain
from .facts import BY_LETTER, lines_in, sold_in, sums_of, sums_of_lines
from .head import Head
from .subject import Period, Subject

HAS_PIN = ExpressionWrapper(~Q(customer_pin=""), output_field=BooleanField())
CATEGORIES = {
    "A": "exempt",
    "B": "standard rate",
    "C": "zero-rated",
    "D": "outside VAT",
    "E": "reduced rate",
}


class VatRow(Struct, frozen=True):
    """One letter at one rate. Credit notes are positive; `net` has them subtracted."""

    letter: str
    category: str
    rate: str
    sales_taxable: Money
    sales_tax: Money
    credit_taxable: Money
    credit_tax: Money
    net_taxable: Money
    net_tax: Money
    unsigned_taxable: Annotated[Money, Meta(description="Net, not signed by KRA yet.")]
    unsigned_tax: Money


class BuyerRow(Struct, frozen=True):
    """Signed documents to buyers with a PIN, or without."""

    buyers: str
    sales: int
    sales_taxable: Money
    sales_tax: Money
    credit_notes: int
    credit_taxable: Money
    credit_tax: Money


class PurchaseRow(Struct, frozen=True):
    kind: str
    letter: str
    category: str
    count: int
    taxable: Money
    tax: Money
    total: Money


class VatReport(Struct, frozen=True):
    head: Head
    rows: Annotated[
        list[VatRow], Meta(description="The five letters, whether they occurred or not.")
    ]
    output_tax: Annotated[Money, Meta(description="Net tax of all letters, signed.")]
    output_taxable: Money
    unsigned_tax: Money
    buyers: list[BuyerRow]
    purchases: Annotated[
        list[PurchaseRow], Meta(description="Confirmed to KRA, by date of the supplier's invoice.")
    ]
    input_tax: Annotated[Money, Meta(description="Of confirmed purchases, less credit notes.")]


def vat_report(subject: Subject, period: Period, head: Head) -> VatReport:
    """The caller holds the snapshot."""
    documents = _documents(subject, period)
    groups = _by_rate(documents, subject, period)
    rows = [_row(letter, rate, groups) for letter, rate in _keys(groups)]
    purchases = [_purchase(row) for row in _confirmed(subject, period)]
    return VatReport(
        head=head,
        rows=rows,
        output_tax=_sum(row.net_tax for row in rows),
        output_taxable=_sum(row.net_taxable for row in rows),
        unsigned_tax=_sum(row.unsigned_tax for row in rows),
        buyers=_buyers(documents),
        purchases=purchases,
        input_tax=_sum(p.tax if p.kind == "purchase" else f"-{p.tax}" for p in purchases),
    )


def _sum(amounts: Iterator[str]) -> str:
    return money(sum((Decimal(amount) for amount in amounts), ZERO))


def _documents(subject: Subject, period: Period) -> list[dict[str, Any]]:
    """One pass over the documents, which hold the sums of each letter: a third of the rows that
    their lines are.
    """
    found = sold_in(subject, period).annotate(has_pin=HAS_PIN)
    names = ["taxable", "tax", *BY_LETTER]
    return list(sums_of(found, "is_signed", "kind", "has_pin", names=names))


Groups = dict[tuple[str, str, bool, str], tuple[Decimal, Decimal]]


def _by_rate(documents: list[dict[str, Any]], subject: Subject, period: Period) -> Groups:
    """Taxable and tax by (letter, rate, signed, kind)."""
    groups: Groups = {}
    rates = rates_ever(subject.company.environment)
    steady = {letter: plain(*known) for letter, known in rates.items() if len(known) == 1}
    for row in documents:
        for letter, rate in steady.items():
            key = (letter, rate, row["is_signed"], row["kind"])
            amounts = (row[f"sum_taxable_{letter.lower()}"], row[f"sum_tax_{letter.lower()}"])
            _add(groups, key, amounts)
    for letter in set(rates) - set(steady):
        _add_lines(groups, letter, subject, period)
    return groups


def _add_lines(groups: Groups, letter: str, subject: Subject, period: Period) -> None:
    """A letter whose rate has changed: only a line knows at which rate it was sold."""
    lines = lines_in(subject, period).filter(letter=letter)
    lines = lines.filter(**{f"invoice__taxable_{letter.lower()}__gt": 0})
    for row in sums_of_lines(lines, "rate", "is_signed", "invoice__kind"):
        key = (letter, plain(row["rate"]), row["is_signed"], row["invoice__kind"])
        _add(groups, key, (row["sum_taxable"], row["sum_tax"]))


def _add(groups: Groups, key: tuple[str, str, bool, str], more: tuple[Decimal, Decimal]) -> None:
    taxable, tax = groups.get(key, (ZERO, ZERO))
    groups[key] = (taxable + more[0], tax + more[1])


def _keys(groups: Groups) -> list[tuple[str, str]]:
    seen = {(letter, rate) for letter, rate, _, _ in groups}
    # A return has a line for each letter, and 0 is a figure too.
    missing = {(letter, "") for letter in LETTERS if letter not in {key[0] for key in seen}}
    return sorted(seen | missing, key=lambda key: (key[0], Decimal(key[1] or 0)))


def _row(letter: str, rate: str, groups: Groups) -> VatRow:
    def amounts(is_signed: bool, kind: str) -> tuple[Decimal, Decimal]:
        return groups.get((letter, rate, is_signed, kind), (ZERO, ZERO))

    sale, note = amounts(True, Kind.SALE.value), amounts(True, Kind.CREDIT_NOTE.value)
    open_sale, open_note = amounts(False, Kind.SALE.value), amounts(False, Kind.CREDIT_NOTE.value)
    return VatRow(
        letter, CATEGORIES[letter], rate,
        money(sale[0]), money(sale[1]), money(note[0]), money(note[1]),
        money(sale[0] - note[0]), money(sale[1] - note[1]),
        money(open_sale[0] - open_note[0]), money(open_sale[1] - open_note[1]),
    )  # fmt: skip


def _buyers(documents: list[dict[str, Any]]) -> list[BuyerRow]:
    signed = {(row["has_pin"], row["kind"]): row for row in documents if row["is_signed"]}
    return [
        BuyerRow(
            name,
            *_figures(signed.get((has_pin, Kind.SALE))),
            *_figures(signed.get((has_pin, Kind.CREDIT_NOTE))),
        )
        for name, has_pin in (("with a PIN", True), ("without a PIN", False))
    ]


def _figures(row: dict[str, Any] | None) -> tuple[int, str, str]:
    if row is None:
        return 0, "0.00", "0.00"
    return row["count"], money(row["sum_taxable"]), money(row["sum_tax"])


def _confirmed(subject: Subject, period: Period) -> list[dict[str, Any]]:
    if not settings.REPORT_PURCHASES:
        return []
    ask = import_string(settings.REPORT_PURCHASES)
    rows: list[dict[str, Any]] = ask(subject.branch_ids, period.first, period.last)
    return rows


def _purchase(row: dict[str, Any]) -> PurchaseRow:
    return PurchaseRow(
        "credit note" if row["is_credit_note"] else "purchase",
        row["letter"],
        CATEGORIES.get(row["letter"], ""),
        row["count"],
        *(money(row[name] or ZERO) for name in ("taxable", "tax", "total")),
    )
