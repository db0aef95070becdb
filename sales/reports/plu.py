"""What was sold, item by item (rules §9), and how much of it is left."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import F, Sum
from msgspec import Meta, Struct

from core.money import ZERO
from items.models import Item, StockLevel
from sales.models import Kind, ZItem
from sales.outputs import Money, money

from .day import plain
from .facts import lines_in, sums_of_lines
from .head import Head
from .subject import Period, Subject

ITEM = ("pk", "sku", "code", "name", "price", "product_type")
SERVICE = "3"
CHUNK = 5000
# By (is signed, kind). A credit note that KRA has not signed gives nothing back yet.
PARTS = {
    (True, Kind.SALE.value): "amount",
    (True, Kind.CREDIT_NOTE.value): "credited",
    (False, Kind.SALE.value): "unsigned",
}


class PluRow(Struct, frozen=True):
    """One item at one letter and rate."""

    code: Annotated[str, Meta(description="Your SKU.")]
    kra_code: str
    name: str
    unit_price: Annotated[Money, Meta(description="The item's price now, with tax.")]
    letter: str
    rate: str
    quantity: Annotated[str, Meta(description="Sold and signed.")]
    amount: Annotated[Money, Meta(description="With tax, after discounts.")]
    credited_quantity: str
    credited_amount: Money
    unsigned_quantity: Annotated[str, Meta(description="Sold, not signed by KRA yet.")]
    unsigned_amount: Money
    stock_left: Annotated[str | None, Meta(description="Now; empty for services.")]


class PluReport(Struct, frozen=True):
    head: Head
    rows: list[PluRow]
    amount: Money
    credited_amount: Money
    unsigned_amount: Money


Amounts = dict[str, tuple[Decimal, Decimal]]


def plu_report(subject: Subject, period: Period, head: Head) -> PluReport:
    """As many rows as items were sold, however many sales; the caller holds the snapshot."""
    groups = _groups(subject, period)
    items = _items({key[0] for key in groups})
    left = _stock(subject)
    keys = sorted(groups, key=lambda key: (items[key[0]]["sku"], *key[1:]))
    rows = [_row(key, groups[key], items[key[0]], left) for key in keys]
    return PluReport(
        head,
        rows,
        amount=money(sum((Decimal(row.amount) for row in rows), ZERO)),
        credited_amount=money(sum((Decimal(row.credited_amount) for row in rows), ZERO)),
        unsigned_amount=money(sum((Decimal(row.unsigned_amount) for row in rows), ZERO)),
    )


Key = tuple[int, str, Decimal]


def _groups(subject: Subject, period: Period) -> dict[Key, Amounts]:
    groups: dict[Key, Amounts] = defaultdict(dict)
    for row in _sums(subject, period):
        part = PARTS.get((row["is_signed"], row["kind"]))
        if part is not None:
            key = (row["item_id"], row["letter"], row["rate"])
            quantity, total = groups[key].get(part, (ZERO, ZERO))
            groups[key][part] = (quantity + row["sum_quantity"], total + row["sum_total"])
    return groups


def _sums(subject: Subject, period: Period) -> Iterator[dict[str, Any]]:
    """What Zs have summed already; and of the lines only those that are in no Z."""
    closed = ZItem.objects.filter(
        company_id=subject.company.pk, day__gte=period.first, day__lte=period.last
    )
    mine = [device.pk for device in subject.devices]
    if subject.is_part:
        closed = closed.filter(device_id__in=mine)
    by = ("item_id", "letter", "rate", "kind")
    sums = {"sum_quantity": Sum("quantity"), "sum_total": Sum("total")}
    for row in closed.order_by().values(*by).annotate(**sums):
        yield {**row, "is_signed": True}
    loose = lines_in(subject, period).annotate(kind=F("invoice__kind"))
    for found in (
        loose.filter(invoice__receipt__device_id__in=mine, invoice__receipt__z__isnull=True),
        loose.filter(invoice__receipt__isnull=True),
    ):
        yield from sums_of_lines(found, *by, "is_signed")


def _items(ids: set[int]) -> dict[int, dict[str, Any]]:
    known = sorted(ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(known), CHUNK):
        rows = Item.objects.filter(pk__in=known[start : start + CHUNK]).values(*ITEM)
        found |= {row["pk"]: row for row in rows}
    return found


def _stock(subject: Subject) -> dict[int, Decimal]:
    levels = StockLevel.objects.filter(branch_id__in=subject.branch_ids).order_by()
    rows = levels.values_list("item_id").annotate(left=Sum("level"))
    return dict(rows)


def _row(key: Key, amounts: Amounts, item: dict[str, Any], left: dict[int, Decimal]) -> PluRow:
    pairs = [amounts.get(name, (ZERO, ZERO)) for name in ("amount", "credited", "unsigned")]
    sold, credited, unsigned = ((plain(quantity), money(total)) for quantity, total in pairs)
    is_service = item["product_type"] == SERVICE
    return PluRow(
        item["sku"],
        item["code"],
        item["name"],
        money(item["price"]),
        key[1],
        plain(key[2]),
        *sold,
        *credited,
        *unsigned,
        None if is_service else plain(left.get(item["pk"], ZERO)),
    )
