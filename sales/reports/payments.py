"""How buyers paid: by method and device, sales and credit notes apart, unsigned beside signed."""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from sales.models import Kind
from sales.outputs import Money, money

from .day import Tally, method_of
from .facts import sold_in, sums_of
from .head import Head
from .subject import Period, Subject


class MethodRow(Struct, frozen=True):
    device: str
    method: str
    sales: Tally
    credit_notes: Tally
    net: Money
    unsigned_sales: Annotated[Tally, Meta(description="Not signed by KRA yet; not in `sales`.")]
    unsigned_credit_notes: Tally


class PaymentReport(Struct, frozen=True):
    head: Head
    rows: list[MethodRow]
    totals: Annotated[list[MethodRow], Meta(description="By method, of all devices.")]
    net: Money


Key = tuple[str, str]
# By (is signed, kind).
Parts = dict[tuple[bool, str], Tally]


def payment_report(subject: Subject, period: Period, head: Head) -> PaymentReport:
    """One query; the caller holds the snapshot."""
    by_device: dict[Key, Parts] = {}
    by_method: dict[Key, Parts] = {}
    serials = {device.pk: device.serial for device in subject.devices}
    found = sold_in(subject, period)
    for row in sums_of(found, "device_id", "payment_method", "kind", "is_signed"):
        method = str(row["payment_method"])
        _add(by_device, (serials[row["device_id"]], method), row)
        _add(by_method, ("", method), row)
    rows = [_row(key, by_device[key]) for key in sorted(by_device)]
    totals = [_row(key, by_method[key]) for key in sorted(by_method)]
    return PaymentReport(head, rows, totals, money(Decimal(sum(Decimal(r.net) for r in totals))))


def _add(groups: dict[Key, Parts], key: Key, row: dict[str, Any]) -> None:
    parts = groups.setdefault(key, {})
    part = (row["is_signed"], row["kind"])
    parts[part] = parts.get(part, Tally()).plus(Tally(row["count"], money(row["sum_total"])))


def _row(key: Key, parts: Parts) -> MethodRow:
    def part(is_signed: bool, kind: Kind) -> Tally:
        return parts.get((is_signed, kind.value), Tally())

    sales, notes = part(True, Kind.SALE), part(True, Kind.CREDIT_NOTE)
    return MethodRow(
        device=key[0],
        method=method_of(key[1]),
        sales=sales,
        credit_notes=notes,
        net=money(Decimal(sales.total) - Decimal(notes.total)),
        unsigned_sales=part(False, Kind.SALE),
        unsigned_credit_notes=part(False, Kind.CREDIT_NOTE),
    )
