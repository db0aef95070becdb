"""Closing a day: the Z report, numbered, frozen and made once.

One transaction: the device's counter is locked, the uncounted receipts are told which Z counts
them, they are summed, and the report is stored. If the process dies before the commit, nothing
happened; if the answer is lost, the next request meets the Z and is told which one it is.
"""

import hashlib
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django.utils.module_loading import import_string
from psycopg.errors import SerializationFailure

from core.errors import Invalid, Problem
from core.money import ZERO
from devices.models import Device
from sales.errors import DayClosed, EarlierDayOpen, ZBusy
from sales.models import Invoice, Receipt, ZCounter, ZReport

from .day import Frame, build, last_zs, open_days, uncounted
from .facts import snapshot
from .subject import day_of, of_device

TRIES = 5
SUM_ITEMS = """
    INSERT INTO sales_zitem (
        company_id, device_id, z_id, day, item_id, kind, letter, rate, quantity, total
    )
    SELECT sold.company_id, sold.device_id, receipt.z_id,
        (sold.sold_at AT TIME ZONE 'Africa/Nairobi')::date, line.item_id, sold.kind, line.letter,
        line.rate, sum(line.quantity), sum(line.total)
    FROM sales_receipt receipt
    JOIN sales_invoice sold ON sold.id = receipt.invoice_id
    JOIN sales_invoiceline line ON line.invoice_id = sold.id
    WHERE receipt.z_id = %s
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""


def close_day(
    device: Device, *, day: date | None = None, opening_deposit: Decimal = ZERO, by: str
) -> ZReport:
    """Make the Z of a day, today's if none is named. Concurrent calls make one Z.

    Raises DayClosed with the Z that exists, EarlierDayOpen, Invalid for a day to come, ZBusy.
    """
    # Outside, so that the row is there for the lock whoever comes first.
    ZCounter.objects.bulk_create([ZCounter(device=device)], ignore_conflicts=True)
    for _ in range(TRIES):
        now = timezone.now()
        frame = Frame("Z", day or day_of(now), now, by, opening_deposit)
        try:
            with snapshot(writes=True):
                return _close(device, frame)
        except OperationalError as error:
            # Somebody closed a day of this device since our snapshot was taken: look again.
            if connection.in_atomic_block or not _is_overtaken(error):
                raise
    raise ZBusy(f"Device {device.serial} is being closed by others just now.")


def _is_overtaken(error: OperationalError) -> bool:
    return isinstance(error.__cause__, SerializationFailure)


def _close(device: Device, frame: Frame) -> ZReport:
    counter = ZCounter.objects.select_for_update().get(device=device)
    last = last_zs([device])
    _check_day(device, frame, last.get(device.pk))
    number = counter.last_number + 1
    frame = replace(frame, number=number, journal_checkpoint=checkpoint_of(device))
    z = ZReport(pk=_next_id())
    # The receipts first: a Z that exists takes none any more.
    _take(z, uncounted([device], frame.until))
    report = build(of_device(device), frame, Invoice.objects.filter(receipt__z_id=z.pk))
    content = msgspec.json.encode(report)
    for name, value in _facts(device, frame, content).items():
        setattr(z, name, value)
    _sum_items(z)
    z.save(force_insert=True)
    counter.last_number = number
    counter.save(update_fields=["last_number"])
    return z


def _facts(device: Device, frame: Frame, content: bytes) -> dict[str, Any]:
    return {
        "company_id": device.company_id,
        "branch_id": device.branch_id,
        "device": device,
        "number": frame.number,
        "day": frame.day,
        "closed_at": frame.now,
        "closed_by": frame.by[:150],
        "content": content.decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _next_id() -> int:
    with connection.cursor() as cursor:
        # As an insert would, before the number is drawn: whoever follows the table by its ids
        # (the journal) sees that this one is still being written.
        cursor.execute(f"LOCK TABLE {ZReport._meta.db_table} IN ROW EXCLUSIVE MODE")
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [ZReport._meta.db_table])
        return int(cursor.fetchone()[0])


def _take(z: ZReport, found: Any) -> None:
    Receipt.objects.filter(invoice__in=found.order_by().values("pk")).update(z_id=z.pk)


def _sum_items(z: ZReport) -> None:
    """What a PLU report will ask of these receipts, summed once."""
    with connection.cursor() as cursor:
        cursor.execute(SUM_ITEMS, [z.pk])


def _check_day(device: Device, frame: Frame, last: ZReport | None) -> None:
    if frame.day > day_of(frame.now):
        problem = Problem("day", "That day has not come yet.", f"Name {day_of(frame.now)}.")
        raise Invalid("A day to come cannot be closed.", problems=[problem])
    if last is None:
        _check_begun(device, frame)
        return
    if frame.day <= last.day:
        raise day_closed(device, frame.day, last)
    found = uncounted([device], frame.until)
    earliest = open_days(found, last.day)
    if earliest is not None and earliest < frame.day:
        step = f'Close it first: {{"day": "{earliest}"}}.'
        problem = Problem("day", f"{earliest} was sold on and has no Z.", step)
        raise EarlierDayOpen(f"{earliest} is still open on {device.serial}.", problems=[problem])


def _check_begun(device: Device, frame: Frame) -> None:
    """Before it was initialised a device has no days, but for what was sold then and sent late."""
    began = day_of(device.initialised_at) if device.initialised_at else frame.day
    if frame.day >= began:
        return
    earliest = open_days(uncounted([device], frame.now), None) or began
    if frame.day < earliest:
        step = f"Name {earliest} or a later day; it cannot be taken back."
        problem = Problem("day", f"{device.serial} has sold nothing before {earliest}.", step)
        raise Invalid("There is nothing to close on that day.", problems=[problem])


def day_closed(device: Device, day: date, last: ZReport) -> DayClosed:
    same = ZReport.objects.filter(device=device, day=day).first()
    z = same or last
    address = f"/api/reports/z/{z.pk}/"
    why = f"Z {z.number} of {z.day} closed it." if same else f"Z {z.number} is of a later day."
    problem = Problem("day", why, f"Read {address}.")
    return DayClosed(
        f"Device {device.serial} has Z {z.number} of {z.day}, made at {_text(z.closed_at)}.",
        problems=[problem],
    )


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def checkpoint_of(device: Device) -> dict[str, Any] | None:
    """What the device's journal gives as its present end, when there is one to ask."""
    if not settings.REPORT_JOURNAL_CHECKPOINT:
        return None
    ask = import_string(settings.REPORT_JOURNAL_CHECKPOINT)
    found: dict[str, Any] | None = ask(device)
    return found
