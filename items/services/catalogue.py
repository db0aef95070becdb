"""The company's catalogue: take it over row by row, and owe KRA what changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec import Struct

from companies.models import Company
from core import sql
from core.errors import Problem
from devices.models import Device
from items.models import Item, ItemCounter, MovementType
from items.rows import FaultyRow, ItemRow
from outbox.models import Status
from outbox.waiting import wait_for_lane

from .checking import Checked, check_rows
from .defaults import fill_in
from .registration import cancel_unsent, is_unsent, lane_of, lock_registration, owe_items
from .stock import StockLine, book_stock, release_waiting

FIELDS = (
    "name",
    "classification",
    "product_type",
    "packaging_unit",
    "quantity_unit",
    "tax_letter",
    "price",
    "barcode",
    "category",
    "origin_country",
    "is_fiscal",
    "is_active",
)
# What KRA's item code is made of: it cannot change under a code (rule I2(d)).
CODE_PARTS = ("product_type", "packaging_unit", "quantity_unit", "origin_country")
# A movement goes out when all its items are decided, so it must not wait for too many.
OPENING_LINES = 200
# So many new rows do not change what a plan for them costs.
FEW = 100


class Verdict(Struct):
    """What became of one row: created, updated, unchanged or refused."""

    row: int
    sku: str
    verdict: str
    problems: list[Problem]
    state: str = ""


@dataclass(slots=True)
class Plan:
    """What one good row does to one item."""

    row: Checked
    item: Item
    is_new: bool
    changed: list[str]

    @property
    def verdict(self) -> str:
        if self.is_new:
            return "created"
        return "updated" if self.changed else "unchanged"

    @property
    def needs_debt(self) -> bool:
        debt = self.item.transmission
        if not self.item.is_fiscal or is_unsent(debt):
            return False
        # What was taken back never reached KRA.
        return bool(self.changed) or debt is None or debt.status == Status.CANCELLED


def sync_items(
    company: Company, device: Device | None, rows: Sequence[ItemRow | FaultyRow]
) -> list[Verdict]:
    """Create or update the items of the good rows, and owe KRA the new and the changed ones.

    One verdict per row, in order; a refused row changes nothing and stops no other. Repeats change
    nothing. A change of an item whose message is not built yet joins that message. Opening stock
    is booked at the branch of `device`, or of the registering device.
    """
    return take_over(company, device, fill_in(company, rows))


def take_over(
    company: Company, device: Device | None, rows: Sequence[ItemRow | FaultyRow]
) -> list[Verdict]:
    """`sync_items` of rows that are whole: only an item that exists may leave out what it has."""
    checked = check_rows(company.environment, rows)
    with transaction.atomic():
        counter = lock_registration(company)
        plans = _plan(company, checked)
        branch_device = device or counter.device
        _refuse_homeless_stock(plans, branch_device)
        good = {plan.row.position: plan for plan in plans if not plan.row.problems}
        _store(counter, list(good.values()))
        if branch_device is not None:
            _book_opening_stock(branch_device, list(good.values()))
        if len(good) > FEW:
            # Foreign keys are checked when this commits.
            sql.forget_plans()
    return [_verdict(row, good.get(row.position)) for row in checked]


def _plan(company: Company, checked: list[Checked]) -> list[Plan]:
    """Compare the good rows with what is stored; both lists keep the order of the rows."""
    rows = [row for row in checked if not row.problems]
    items = Item.objects.filter(company=company, sku__in=[row.sku for row in rows])
    light = items.select_related("transmission").defer(
        "transmission__body", "transmission__content"
    )
    known = {item.sku: item for item in light}
    now = timezone.now()
    return [_plan_row(company, row, known.get(row.sku), now) for row in rows]


def _plan_row(company: Company, row: Checked, item: Item | None, now: Any) -> Plan:
    if item is None:
        fresh = Item(company=company, sku=row.sku, created_at=now, updated_at=now, **row.values)
        return Plan(row, fresh, is_new=True, changed=[])
    changed = [name for name, value in row.values.items() if getattr(item, name) != value]
    frozen = [name for name in CODE_PARTS if name in changed] if item.code else []
    for name in frozen:
        reason = f"It is part of KRA's item code {item.code}, which never changes."
        row.problems.append(Problem(name, reason, "Create a new item under another SKU."))
    if not frozen:
        for name in changed:
            setattr(item, name, row.values[name])
        item.updated_at = now if changed else item.updated_at
    return Plan(row, item, is_new=False, changed=changed)


def _refuse_homeless_stock(plans: list[Plan], device: Device | None) -> None:
    for plan in plans:
        if plan.is_new and plan.row.opening_stock and device is None:
            plan.row.problems.append(
                Problem(
                    "opening_stock",
                    "Stock lies in a branch, and the head office has no active device.",
                    "Initialise one with POST /api/device/init/, or leave the stock out.",
                )
            )


def _store(counter: ItemCounter, plans: list[Plan]) -> None:
    cancelled = cancel_unsent([plan.item for plan in plans if not plan.item.is_fiscal])
    owed = [plan.item for plan in plans if plan.needs_debt] if counter.device_id else []
    if owed:
        owe_items(counter, owed)
    Item.objects.bulk_create([plan.item for plan in plans if plan.is_new])
    due = {item.pk for item in owed}
    Item.objects.bulk_create(
        [plan.item for plan in plans if plan.changed or (not plan.is_new and plan.item.pk in due)],
        update_conflicts=True,
        unique_fields=["id"],
        # Never the code or the registration: those belong to KRA's answers.
        update_fields=[*FIELDS, "transmission", "updated_at"],
    )
    for item in cancelled:
        release_waiting(item)


def _book_opening_stock(device: Device, plans: list[Plan]) -> None:
    stocked = [plan for plan in plans if plan.is_new and plan.row.opening_stock]
    for start in range(0, len(stocked), OPENING_LINES):
        part = stocked[start : start + OPENING_LINES]
        book_stock(
            device=device,
            type=MovementType.ADJUSTMENT_IN,
            lines=[StockLine(p.item.pk, p.row.opening_stock, p.item.price) for p in part],
            reference=f"OPENING-{part[0].item.pk}",
            occurred_at=timezone.now(),
            remark="Opening stock",
        )


def _verdict(row: Checked, plan: Plan | None) -> Verdict:
    if plan is None:
        return Verdict(row.position, row.sku, "refused", row.problems)
    return Verdict(row.position, row.sku, plan.verdict, [], plan.item.state)


def deliver_items(company: Company, verdicts: list[Verdict], seconds: float) -> None:
    """Register what can be registered in the time the caller waits; then read the states again."""
    queued = {one.sku: one for one in verdicts if one.state == "queued"}
    if not queued or seconds <= 0:
        return
    wait_for_lane(lane_of(ItemCounter.objects.get(company=company)), seconds)
    items = Item.objects.filter(company=company, sku__in=queued).select_related("transmission")
    for item in items.defer("transmission__body", "transmission__content"):
        queued[item.sku].state = item.state
