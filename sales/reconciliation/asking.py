"""What is asked of KRA. Both calls only read; nothing in this package sends a sale."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from devices.calls import exchange
from devices.models import Device
from kra.errors import OutcomeUnknown
from kra.readers import read_listed_invoices
from kra.records import ListedInvoice
from kra.requests import InvoiceDetailsRequest, ListRequest
from kra.times import NAIROBI, format_instant
from outbox import breaker
from outbox.models import host_of

# KRA lists by the time it registered a sale, and clocks differ: a till may be ahead of KRA.
EARLIER = timedelta(hours=1)


class NotNow(Exception):
    """KRA is not asked at present; the text says why."""


def check_askable(device: Device) -> None:
    """Raises NotNow: a silent host is left to the breaker's own probe."""
    if device.state != Device.State.ACTIVE:
        raise NotNow(f"The device is {device.state}. Settle that, then it goes on.")
    if breaker.is_open(host_of(device)):
        raise NotNow("KRA does not answer at present. It goes on when KRA is back.")


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=NAIROBI)


def ask_list(device: Device, first_day: date) -> Iterator[ListedInvoice | None]:
    """All that KRA registered since the beginning of a day, in no order; None: unreadable.

    The list has a beginning and no end, and comes in one piece. Raises KRAError, NotNow.
    """
    check_askable(device)
    body = ListRequest(
        tin=device.company.pin,
        bhfId=device.branch.code,
        lastReqDt=format_instant(midnight(first_day) - EARLIER),
    ).encode()
    reply = exchange(device, "sales_list", body, reference=f"books {first_day}")
    return iter(()) if reply.is_empty else read_listed_invoices(reply.data)


def ask_one(device: Device, number: int) -> ListedInvoice | None:
    """What KRA holds under one number; None: nothing. Raises KRAError, NotNow."""
    check_askable(device)
    body = InvoiceDetailsRequest(
        tin=device.company.pin, bhfId=device.branch.code, invcNo=number
    ).encode()
    reply = exchange(device, "invoice_details", body, reference=f"books {number}")
    if reply.is_empty:
        return None
    rows = list(read_listed_invoices(reply.data))
    if not rows:
        return None
    found = rows[0]
    if len(rows) > 1 or found is None or found.number != number:
        raise OutcomeUnknown("unreadable_answer", f"KRA's record of {number} cannot be read.")
    return found
