"""Month end: does each device match KRA, and which days has nobody compared?"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import Count
from msgspec import Meta, Struct

from companies.models import ApiToken
from devices.models import Device
from kra.times import NAIROBI
from outbox.models import OPEN
from sales.models import Difference, Invoice, ReconciledDay, State, Verdict
from sales.outputs import Money, money

from .asking import midnight

COUNTS = ("sales", "credit_notes", "total", "vat")


class Side(Struct):
    sales: int
    credit_notes: int
    total: Annotated[Money, Meta(description="Sales minus credit notes.")]
    vat: Money


class DeviceMonth(Struct):
    company: Annotated[str, Meta(description="PIN.")]
    company_name: str
    branch: str
    device: str
    verdict: Annotated[
        str,
        Meta(
            description="matches; explained: what differs has been explained; differs; "
            "incomplete: days are missing, or a run could not tell."
        ),
    ]
    ours: Side
    kra: Side
    open_differences: int
    waiting: Annotated[int, Meta(description="Sales of the month that KRA has not signed yet.")]
    days_reconciled: int
    days_missing: list[date]


class CompanyMonth(Struct):
    company: str
    company_name: str
    verdict: str
    ours: Side
    kra: Side
    open_differences: int


class Month(Struct):
    month: Annotated[str, Meta(examples=["2026-11"])]
    until: Annotated[date | None, Meta(description="Days up to here are counted.")]
    companies: list[CompanyMonth]
    devices: list[DeviceMonth]


def sums_of(days: Any, side: str) -> Side:
    """One side's figures over days."""
    values = [sum((getattr(day, f"{side}_{name}") for day in days), 0) for name in COUNTS]
    sales, notes, total, vat = values
    return Side(sales, notes, money(Decimal(total)), money(Decimal(vat)))


def month_report(token: ApiToken, first: date, *, now: datetime) -> Month:
    """Five queries, whatever the number of devices and sales."""
    following = (first + timedelta(days=32)).replace(day=1)
    yesterday = now.astimezone(NAIROBI).date() - timedelta(days=1)
    last = min(following - timedelta(days=1), yesterday)
    devices: Any = Device.objects.visible_to(token).exclude(key="")
    devices = devices.select_related("company", "branch").defer(
        "key", "init_answer", "company__consumer_key", "company__consumer_secret"
    )
    known = list(devices.order_by("company__pin", "branch__code", "serial"))
    days = _days(token, first, last)
    cases = _counts(
        Difference.objects.visible_to(token).filter(
            state=Difference.State.OPEN, day__range=(first, last)
        )
    )
    waiting = _counts(
        Invoice.objects.visible_to(token).filter(
            sold_at__gte=midnight(first),
            sold_at__lt=midnight(last + timedelta(days=1)),
            state=State.ACTIVE,
            is_training=False,
            transmission__status__in=OPEN,
        )
    )
    rows = []
    for device in known:
        wanted = _wanted_days(device, first, last)
        rows.append(
            _device_month(device, days[device.pk], wanted, (cases[device.pk], waiting[device.pk]))
        )
    until = last if last >= first else None
    return Month(f"{first:%Y-%m}", until, list(_companies(rows)), rows)


def _days(token: ApiToken, first: date, last: date) -> dict[int, list[ReconciledDay]]:
    found: dict[int, list[ReconciledDay]] = defaultdict(list)
    rows: Any = ReconciledDay.objects.visible_to(token).select_related("run")
    for row in rows.filter(is_latest=True, day__range=(first, last)).order_by("day"):
        found[row.device_id].append(row)
    return found


def _counts(rows: Any) -> dict[int, int]:
    counted = rows.order_by().values_list("device_id").annotate(count=Count("*"))
    return defaultdict(int, counted)


def _wanted_days(device: Device, first: date, last: date) -> list[date]:
    began = (device.initialised_at or device.created_at).astimezone(NAIROBI).date()
    start = max(first, began)
    return [start + timedelta(days=n) for n in range((last - start).days + 1)]


def _device_month(
    device: Device, days: list[ReconciledDay], wanted: list[date], counts: tuple[int, int]
) -> DeviceMonth:
    compared = {row.day for row in days if row.run.verdict != Verdict.INCOMPLETE}
    missing = [day for day in wanted if day not in compared]
    ours, theirs = sums_of(days, "our"), sums_of(days, "kra")
    cases, waiting = counts
    return DeviceMonth(
        company=device.company.pin,
        company_name=device.company.name,
        branch=device.branch.code,
        device=device.serial,
        verdict=_verdict(days, missing, cases),
        ours=ours,
        kra=theirs,
        open_differences=cases,
        waiting=waiting,
        days_reconciled=len(compared),
        days_missing=missing,
    )


def _verdict(days: list[ReconciledDay], missing: list[date], cases: int) -> str:
    if cases:
        return "differs"
    if missing:
        return "incomplete"
    differing = [row for row in days if row.run.verdict == Verdict.DIFFERS]
    if any(row.run.reason for row in differing):
        return "differs"
    return "explained" if differing else "matches"


WORST = ("differs", "incomplete", "explained", "matches")


def _companies(rows: list[DeviceMonth]) -> Iterator[CompanyMonth]:
    by_company: dict[str, list[DeviceMonth]] = defaultdict(list)
    for row in rows:
        by_company[row.company].append(row)
    for pin, mine in by_company.items():
        yield CompanyMonth(
            company=pin,
            company_name=mine[0].company_name,
            verdict=min((row.verdict for row in mine), key=WORST.index),
            ours=_added([row.ours for row in mine]),
            kra=_added([row.kra for row in mine]),
            open_differences=sum(row.open_differences for row in mine),
        )


def _added(sides: list[Side]) -> Side:
    return Side(
        sum(side.sales for side in sides),
        sum(side.credit_notes for side in sides),
        money(sum((Decimal(side.total) for side in sides), Decimal(0))),
        money(sum((Decimal(side.vat) for side in sides), Decimal(0))),
    )


COLUMNS = (
    *("month", "company", "company_name", "branch", "device", "verdict"),
    *(f"{side}_{name}" for side in ("our", "kra") for name in COUNTS),
    *("open_differences", "waiting", "days_reconciled", "days_missing"),
)


def as_csv(month: Month) -> str:
    """One row per device."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in month.devices:
        figures = [getattr(side, name) for side in (row.ours, row.kra) for name in COUNTS]
        names = [row.company, row.company_name, row.branch, row.device]
        missing = " ".join(map(str, row.days_missing))
        ends = [row.open_differences, row.waiting, row.days_reconciled, missing]
        writer.writerow([month.month, *map(_harmless, names), row.verdict, *figures, *ends])
    return text.getvalue()


def _harmless(text: str) -> str:
    """A spreadsheet would run a name that begins like a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
