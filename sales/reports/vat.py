"""The figures of a VAT return: output tax by letter and rate, credit notes apart, purchases too.

By day of sale, as KRA's own list of invoices goes. Only what KRA has signed is in the sums;
the rest stands beside them.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from django.conf import settings
from django.utils.module_loading import import_string
from msgspec import Meta, Struct

from core.money import ZERO
from sales.models import LETTERS, Kind
from sales.outputs import Money, money

from .day import plain
from .facts import IS_SIGNED, line_sums, sold_in, sums_of
from .head import Head
from .subject import Period, Subject

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
    found = sold_in(subject, period).annotate(is_signed=IS_SIGNED)
    groups = _by_rate(found)
    rows = [_row(letter, rate, groups) for letter, rate in _keys(groups)]
    purchases = [_purchase(row) for row in _confirmed(subject, period)]
    return VatReport(
        head=head,
        rows=rows,
        output_tax=_sum(row.net_tax for row in rows),
        output_taxable=_sum(row.net_taxable for row in rows),
        unsigned_tax=_sum(row.unsigned_tax for row in rows),
        buyers=_buyers(found),
        purchases=purchases,
        input_tax=_sum(p.tax if p.kind == "purchase" else f"-{p.tax}" for p in purchases),
    )


def _sum(amounts: Iterator[str]) -> str:
    return money(sum((Decimal(amount) for amount in amounts), ZERO))


Groups = dict[tuple[str, str, bool, str], tuple[Decimal, Decimal]]


def _by_rate(found: Any) -> Groups:
    """Taxable and tax by (letter, rate, signed, kind), from the lines."""
    groups: Groups = {}
    for is_signed in (True, False):
        part = found.filter(receipt__isnull=not is_signed)
        for row in line_sums(part, "letter", "rate", "invoice__kind"):
            key = (row["letter"], plain(row["rate"]), is_signed, row["invoice__kind"])
            groups[key] = (row["sum_taxable"], row["sum_tax"])
    return groups


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


def _buyers(found: Any) -> list[BuyerRow]:
    signed = found.filter(receipt__isnull=False)
    rows = []
    for name, part in (
        ("with a PIN", signed.exclude(customer_pin="")),
        ("without a PIN", signed.filter(customer_pin="")),
    ):
        by_kind = {row["kind"]: row for row in sums_of(part, "kind", names=["taxable", "tax"])}
        sale, note = (_figures(by_kind.get(kind)) for kind in (Kind.SALE, Kind.CREDIT_NOTE))
        rows.append(BuyerRow(name, *sale, *note))
    return rows


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
