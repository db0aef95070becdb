"""What an X or a Z says (rules §9), and how it is counted.

X and Z are one report: all signed documents of a device that no Z has counted yet. A document
that KRA signed after the Z of the day it was sold on is simply still uncounted, so the next Z
takes it, and none takes it twice.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from django.db.models import Count, Max, Min, Q, Sum
from msgspec import Meta, Struct

from core.money import ZERO
from devices.models import Device
from outbox.models import OPEN, Status, Stream
from sales.errors import ReportDamaged
from sales.models import (
    LETTERS,
    PUBLIC_STATUS,
    Invoice,
    Kind,
    Receipt,
    State,
    ZReport,
)
from sales.outputs import Money, money
from sales.words import PAYMENT_NAMES

from .facts import line_sums, sums_of
from .prints import prints_until
from .subject import Subject, day_of, midnight

NOT_SIGNED = [*OPEN, Status.REFUSED]


class Tally(Struct, frozen=True):
    count: int = 0
    total: Money = "0.00"

    def plus(self, other: "Tally", sign: int = 1) -> "Tally":
        total = Decimal(self.total) + sign * Decimal(other.total)
        return Tally(self.count + sign * other.count, money(total))


class LetterRow(Struct, frozen=True):
    letter: str
    rate: Annotated[str, Meta(description="Percent.")]
    taxable: Money
    tax: Money
    total: Money


class PaymentRow(Struct, frozen=True):
    method: str
    count: int
    total: Money


class Side(Struct, frozen=True):
    """Sales (NS) or credit notes (NC). Amounts of both are positive; subtract the second."""

    count: int
    total: Money
    taxable: Money
    tax: Money
    discounts: Money
    items: Annotated[str, Meta(description="The quantities of all lines.")]
    letters: list[LetterRow]
    payments: list[PaymentRow]
    first_receipt: Annotated[str, Meta(description="Lowest CU invoice number.")]
    last_receipt: str


class StatusRow(Struct, frozen=True):
    status: str
    sales: Tally
    credit_notes: Tally


class DeviceSpan(Struct, frozen=True):
    serial: str
    scu_id: str
    last_z: Annotated[int, Meta(description="The Z before this report; 0: there was none.")]
    since: Annotated[datetime | None, Meta(description="When that Z was made.")]


class Running(Struct, frozen=True):
    """Since the first day of the device: the figures of a report are what was added since."""

    sales: Tally = Tally()
    credit_notes: Tally = Tally()
    copies: Tally = Tally()
    training: Tally = Tally()
    proforma: Tally = Tally()
    voided: Tally = Tally()


RUNNING = Running.__struct_fields__


class DayReport(Struct, frozen=True, kw_only=True):
    """An X or a Z. A Z is kept word for word as this JSON."""

    report: Annotated[str, Meta(description="X or Z.")]
    number: Annotated[int | None, Meta(description="Of a Z: 1, 2, 3 … per device.")]
    day: Annotated[date, Meta(description="The business day in Nairobi.")]
    made_at: datetime
    made_by: str
    trade_name: str
    pin: str
    environment: str
    branch: Annotated[str, Meta(description="Code; empty: all branches.")]
    branch_name: str
    address: str
    devices: list[DeviceSpan]
    opening_deposit: Money
    sales: Side
    credit_notes: Side
    net_total: Money
    net_tax: Money
    late_sales: Annotated[
        Tally, Meta(description="Part of `sales`: sold on a day whose Z was made before.")
    ]
    late_credit_notes: Tally
    copies: Tally
    training: Tally
    proforma: Tally
    other_reductions: Annotated[
        Tally, Meta(description="Sales given up before KRA had them. Not part of `sales`.")
    ]
    incomplete: Annotated[
        list[StatusRow], Meta(description="Not signed now, and in no total of this report.")
    ]
    running: Annotated[Running, Meta(description="Grand totals since the first Z.")]
    journal_checkpoint: Annotated[
        dict[str, Any] | None, Meta(description="Where the device's journal stood, if kept.")
    ] = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the caller of a report gives."""

    report: str
    day: date
    now: datetime
    by: str
    opening_deposit: Decimal = ZERO
    number: int | None = None
    journal_checkpoint: dict[str, Any] | None = None

    @property
    def until(self) -> datetime:
        return midnight(self.day + timedelta(days=1))


def read_content(z: ZReport) -> DayReport:
    """Raises ReportDamaged when it is not what was stored."""
    if hashlib.sha256(z.content.encode()).hexdigest() != z.sha256:
        raise ReportDamaged(f"Z {z.number} of {z.day} does not match its SHA-256.")
    return msgspec.json.decode(z.content, type=DayReport)


def last_zs(devices: Sequence[Device]) -> dict[int, ZReport]:
    """The latest Z of each device that has one."""
    latest = ZReport.objects.filter(device__in=devices).order_by("device_id", "-number")
    return {z.device_id: z for z in latest.distinct("device_id")}


def uncounted(devices: Sequence[Device], until: datetime) -> Any:
    """Signed documents sold before `until` that are in no Z.

    No clock is asked when one was signed: the receipts without a Z have an index of their own, so
    whatever is in none is found, however long ago it came.
    """
    mine = [device.pk for device in devices]
    return Invoice.objects.filter(
        receipt__device_id__in=mine, receipt__z__isnull=True, sold_at__lt=until
    )


def _end(z: ZReport) -> datetime:
    """Of its business day: a missed day is closed long after what was sold behind it was signed."""
    return midnight(z.day + timedelta(days=1))


def build(subject: Subject, frame: Frame, found: Any) -> DayReport:
    """Count the documents found, and what lies around them. The caller holds the snapshot."""
    last = last_zs(subject.devices)
    sales, notes = sides_of(found)
    before = running_of(last.values())
    now_running = _running_now(subject.devices, frame.until, before, (sales, notes))
    added = {name: _added(now_running, before, name) for name in RUNNING}
    late = late_of(found, last)
    company, branch = subject.company, subject.branch
    return DayReport(
        report=frame.report,
        number=frame.number,
        day=frame.day,
        made_at=frame.now,
        made_by=frame.by,
        trade_name=company.trade_name or company.name,
        pin=company.pin,
        environment=company.environment,
        branch=branch.code if branch else "",
        branch_name=branch.name if branch else "",
        address=branch.address if branch else "",
        devices=[_span(device, last.get(device.pk)) for device in subject.devices],
        opening_deposit=money(frame.opening_deposit),
        sales=sales,
        credit_notes=notes,
        net_total=money(Decimal(sales.total) - Decimal(notes.total)),
        net_tax=money(Decimal(sales.tax) - Decimal(notes.tax)),
        late_sales=late[Kind.SALE],
        late_credit_notes=late[Kind.CREDIT_NOTE],
        copies=added["copies"],
        training=added["training"],
        proforma=added["proforma"],
        other_reductions=added["voided"],
        incomplete=incomplete_of(subject.devices, frame.until),
        running=now_running,
        journal_checkpoint=frame.journal_checkpoint,
    )


def _span(device: Device, z: ZReport | None) -> DeviceSpan:
    number, moment = (z.number, z.closed_at) if z else (0, None)
    return DeviceSpan(device.serial, device.scu_id, number, moment)


def _added(now: Running, before: Running, name: str) -> Tally:
    later: Tally = getattr(now, name)
    return later.plus(getattr(before, name), sign=-1)


def sides_of(found: Any) -> tuple[Side, Side]:
    groups = list(
        sums_of(found, "kind", "payment_method", names=["total", "taxable", "tax", "discount"])
    )
    lines = line_sums(found, "invoice__kind", "letter", "rate")
    ends = Receipt.objects.filter(invoice__in=found).order_by().values("invoice__kind")
    units: dict[str, Any] = {
        row["invoice__kind"]: row
        for row in ends.annotate(
            low=Min("receipt_number"), high=Max("receipt_number"), unit=Max("scu_id")
        )
    }
    sale, note = (
        _side(
            [row for row in groups if row["kind"] == kind],
            [row for row in lines if row["invoice__kind"] == kind],
            units.get(kind),
        )
        for kind in (Kind.SALE, Kind.CREDIT_NOTE)
    )
    return sale, note


def _side(groups: list[Any], lines: list[Any], ends: dict[str, Any] | None) -> Side:
    def whole(name: str) -> str:
        return money(sum((row[f"sum_{name}"] for row in groups), ZERO))

    quantity = sum((row["sum_quantity"] for row in lines), ZERO)
    return Side(
        count=sum(row["count"] for row in groups),
        total=whole("total"),
        taxable=whole("taxable"),
        tax=whole("tax"),
        discounts=whole("discount"),
        items=plain(quantity),
        letters=letter_rows(lines),
        payments=payment_rows(groups),
        first_receipt=f"{ends['unit']}/{ends['low']}" if ends else "",
        last_receipt=f"{ends['unit']}/{ends['high']}" if ends else "",
    )


def plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


def letter_rows(lines: list[Any]) -> list[LetterRow]:
    """One row per letter and rate that occurred: a rate may have changed meanwhile."""
    ordered = sorted(lines, key=lambda row: (LETTERS.index(row["letter"]), row["rate"]))
    return [
        LetterRow(
            row["letter"], plain(row["rate"]),
            money(row["sum_taxable"]), money(row["sum_tax"]), money(row["sum_total"]),
        )
        for row in ordered
    ]  # fmt: skip


def payment_rows(groups: list[Any]) -> list[PaymentRow]:
    ordered = sorted(groups, key=lambda row: str(row["payment_method"]))
    return [
        PaymentRow(method_of(row["payment_method"]), row["count"], money(row["sum_total"]))
        for row in ordered
    ]


def method_of(code: str) -> str:
    return PAYMENT_NAMES.get(code, code)


def late_of(found: Any, last: dict[int, ZReport]) -> dict[str, Tally]:
    """Sold on a day that its device has closed already."""
    late = Q(pk__in=[])
    for device_id, z in last.items():
        late |= Q(device=device_id, sold_at__lt=_end(z))
    tallies = {Kind.SALE.value: Tally(), Kind.CREDIT_NOTE.value: Tally()}
    for row in sums_of(found.filter(late), "kind") if last else ():
        tallies[row["kind"]] = Tally(row["count"], money(row["sum_total"]))
    return tallies


def incomplete_of(devices: Sequence[Device], until: datetime) -> list[StatusRow]:
    """Waiting for KRA, refused by it or in conflict, as it is now."""
    waiting = Invoice.objects.filter(
        transmission__lane__device__in=devices,
        transmission__lane__stream=Stream.FISCAL,
        transmission__status__in=NOT_SIGNED,
        device__in=devices,
        state=State.ACTIVE,
        is_training=False,
        sold_at__lt=until,
    )
    found = {
        (row["transmission__status"], row["kind"]): Tally(row["count"], money(row["sum_total"]))
        for row in sums_of(waiting, "transmission__status", "kind")
    }
    seen = sorted({status for status, _ in found})
    return [
        StatusRow(
            PUBLIC_STATUS[Status(status)],
            found.get((status, Kind.SALE.value), Tally()),
            found.get((status, Kind.CREDIT_NOTE.value), Tally()),
        )
        for status in seen
    ]


def running_of(zs: Any) -> Running:
    """The grand totals of the latest Zs together."""
    total = Running()
    for z in zs:
        own = read_content(z).running
        total = Running(*(getattr(total, name).plus(getattr(own, name)) for name in RUNNING))
    return total


def _running_now(
    devices: Sequence[Device], until: datetime, before: Running, sides: tuple[Side, Side]
) -> Running:
    """Sales grow by what this report counts. The rest is never taken back, so it is counted
    whole each time, and what lies between two reports is in exactly one of them.
    """
    sales, notes = sides
    copies, proforma = prints_until(devices, until)
    mine = Invoice.objects.filter(device__in=devices)
    return Running(
        sales=before.sales.plus(Tally(sales.count, sales.total)),
        credit_notes=before.credit_notes.plus(Tally(notes.count, notes.total)),
        copies=Tally(copies[0], money(copies[1])),
        training=_tally(mine.filter(is_training=True, created_at__lt=until)),
        proforma=Tally(proforma[0], money(proforma[1])),
        voided=_tally(mine.filter(state=State.VOIDED, is_training=False, state_at__lt=until)),
    )


def _tally(found: Any) -> Tally:
    row = found.aggregate(count=Count("*"), sum=Sum("total"))
    return Tally(row["count"], money(row["sum"] or ZERO))


def open_days(found: Any, after: date | None) -> date | None:
    """The earliest day of sale among documents, of those behind a day."""
    if after is not None:
        found = found.filter(sold_at__gte=midnight(after + timedelta(days=1)))
    earliest = found.aggregate(earliest=Min("sold_at"))["earliest"]
    return day_of(earliest) if earliest else None
