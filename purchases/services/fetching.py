"""Ask KRA what suppliers say that we bought, and store each invoice once."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec import Struct

from core.money import round_cents
from devices.calls import exchange, storable
from devices.models import Device
from kra.readers import sift_supplier_invoices
from kra.records import SupplierInvoice, SupplierLine
from kra.requests import EVERYTHING, ListRequest
from kra.times import format_instant
from purchases.models import Purchase, PurchaseLine, State, SyncMark

from .matching import Matcher

log = logging.getLogger(__name__)

LIST = "purchase_sales_list"
# KRA does not say whether its bound is inclusive; what comes twice is stored once.
OVERLAP = timedelta(minutes=1)
LARGEST = {"money": Decimal(10) ** 16, "quantity": Decimal(10) ** 11}
MOST_LINES = 999


class Synced(Struct):
    """What one branch's question brought."""

    new: int = 0
    known: int = 0
    unreadable: int = 0


def speaker_of(branch_id: int) -> Device | None:
    """The device through which a branch speaks about its purchases."""
    active = Device.objects.filter(branch=branch_id, state=Device.State.ACTIVE)
    return active.select_related("company", "branch").order_by("pk").first()


def sync_branch(device: Device, *, everything: bool = False) -> Synced:
    """Fetch what was offered to the device's branch since the last answer, or all that is offered.

    The invoices and the mark are stored together, so an interruption anywhere leaves the mark
    where it was, and the next run asks from there. Raises KRAError, HostNotConfigured.
    """
    mark = SyncMark.objects.filter(branch=device.branch_id).first()
    since = mark.last_result_at if mark and not everything else None
    request = ListRequest(
        tin=device.company.pin,
        bhfId=device.branch.code,
        lastReqDt=format_instant(since - OVERLAP) if since else EVERYTHING,
    )
    reply = exchange(device, LIST, request.encode(), reference="purchases")
    invoices, faults = sift_supplier_invoices(None if reply.is_empty else reply.data)
    return _store(device, invoices, list(faults), reply.result_at)


@transaction.atomic
def _store(
    device: Device,
    invoices: Sequence[SupplierInvoice],
    faults: list[str],
    result_at: datetime | None,
) -> Synced:
    # One at a time per branch: two runs with the same answer must see each other.
    SyncMark.objects.get_or_create(branch_id=device.branch_id)
    mark = SyncMark.objects.select_for_update(no_key=True).get(branch=device.branch_id)
    known = _known(device.branch_id, invoices)
    fresh: dict[tuple[str, str, int], SupplierInvoice] = {}
    readable = len(invoices)
    for invoice in invoices:
        key = (invoice.supplier_pin, invoice.supplier_branch, invoice.number)
        fault = _misfit(invoice)
        if fault:
            readable -= 1
            faults.append(f"{'/'.join(map(str, key))}: {fault}")
        elif key not in known:
            fresh.setdefault(key, invoice)
        elif known[key] != round_cents(invoice.total):
            # The first word counts: a person may have acted on it already.
            log.warning("offer changed", extra={"reference": "/".join(map(str, key))})
    _create(device, list(fresh.values()))
    for fault in faults:
        log.error("offer unreadable", extra={"device": device.pk, "reason": storable(fault, 300)})
    _advance(mark, None if faults else result_at)
    return Synced(len(fresh), readable - len(fresh), len(faults))


def _advance(mark: SyncMark, result_at: datetime | None) -> None:
    """An offer that could not be read holds the mark back: it is asked for again."""
    if result_at is not None and (mark.last_result_at is None or result_at > mark.last_result_at):
        mark.last_result_at = result_at
    mark.synced_at = timezone.now()
    mark.save(update_fields=["last_result_at", "synced_at"])


def _known(
    branch_id: int, invoices: Sequence[SupplierInvoice]
) -> dict[tuple[str, str, int], Decimal]:
    pins = {invoice.supplier_pin for invoice in invoices}
    rows = Purchase.objects.filter(branch=branch_id, supplier_pin__in=pins)
    values = rows.values_list("supplier_pin", "supplier_branch", "number", "total")
    return {(pin, branch, number): total for pin, branch, number, total in values}


def _misfit(invoice: SupplierInvoice) -> str:
    """Why it cannot be kept exactly as it came; empty when it can."""
    texts = (invoice.supplier_pin, invoice.supplier_name, invoice.supplier_branch)
    if any(text != storable(text, size) for text, size in zip(texts, (20, 200, 5), strict=True)):
        return "the supplier's PIN, name or branch is too long"
    if not invoice.supplier_pin:
        return "it names no supplier"
    if invoice.number < 1:
        # Two of them would be one here, and KRA could not tell which one is confirmed.
        return "it has no invoice number"
    if len(invoice.lines) > MOST_LINES:
        return "it has too many lines"
    money = [invoice.taxable, invoice.tax, invoice.total]
    for line in invoice.lines:
        money += [line.price, line.discount_amount, line.taxable, line.tax, line.total]
        if abs(line.quantity) >= LARGEST["quantity"] or abs(line.discount_rate) >= 10_000:
            return f"a quantity or discount of line {line.sequence} is too large"
    return "an amount is too large" if any(abs(m) >= LARGEST["money"] for m in money) else ""


def _create(device: Device, invoices: list[SupplierInvoice]) -> None:
    now = timezone.now()
    purchases = Purchase.objects.bulk_create([_purchase(device, one, now) for one in invoices])
    lines = [
        _line(purchase, place, line)
        for purchase, invoice in zip(purchases, invoices, strict=True)
        for place, line in enumerate(invoice.lines, 1)
    ]
    Matcher(device.company_id, lines).apply()
    open_lines = {line.purchase_id for line in lines if line.item_id is None}
    matched = [p.pk for p in purchases if p.pk not in open_lines]
    PurchaseLine.objects.bulk_create(lines, batch_size=1000)
    Purchase.objects.filter(pk__in=matched, lines__isnull=False).update(state=State.MATCHED)


def _purchase(device: Device, invoice: SupplierInvoice, now: Any) -> Purchase:
    return Purchase(
        company_id=device.company_id,
        branch_id=device.branch_id,
        supplier_pin=invoice.supplier_pin,
        supplier_name=invoice.supplier_name,
        supplier_branch=invoice.supplier_branch,
        number=invoice.number,
        is_credit_note=invoice.kind == "R",
        payment_code=storable(invoice.payment_code, 5),
        control_unit=storable(invoice.scu_id, 60),
        invoiced_on=invoice.date,
        signed_at=invoice.confirmed_at,
        taxable=round_cents(invoice.taxable),
        tax=round_cents(invoice.tax),
        total=round_cents(invoice.total),
        remark=storable(invoice.remark, 400),
        updated_at=now,
    )


def _line(purchase: Purchase, place: int, line: SupplierLine) -> PurchaseLine:
    return PurchaseLine(
        purchase=purchase,
        sequence=place,
        supplier_code=storable(line.item_code, 60),
        supplier_class=storable(line.class_code, 20),
        name=storable(line.name, 300),
        barcode=storable(line.barcode, 60),
        package_unit=storable(line.package_unit, 10),
        quantity_unit=storable(line.quantity_unit, 10),
        quantity=round_cents(line.quantity),
        unit_price=round_cents(line.price),
        discount_percent=round_cents(line.discount_rate),
        discount=round_cents(line.discount_amount),
        letter=storable(line.tax_letter, 5),
        taxable=round_cents(line.taxable),
        tax=round_cents(line.tax),
        total=round_cents(line.total),
    )
