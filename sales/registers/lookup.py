"""Who is behind a PIN: KRA's word, kept a short time, and the last word while KRA is silent."""

import logging
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.conf import settings
from django.utils import timezone
from msgspec import Struct

from core.errors import Invalid, NotFound, Problem, Upstream
from devices.calls import HostNotConfigured, exchange, storable
from devices.models import Device
from kra.codes import explain
from kra.errors import KRAError, Rejected
from kra.readers import read_customer
from kra.records import CustomerInfo
from kra.requests import CustomerPinRequest
from outbox import breaker
from outbox.models import host_of
from sales.models.registers import PinRecord

log = logging.getLogger(__name__)

# Class 15 of KRA's code list.
STATUSES = {"A": "active", "D": "inactive"}


class PinUnknown(NotFound):
    code = "pin_unknown"
    help = (
        "Compare the PIN with the buyer's certificate, letter by letter. A PIN that was issued "
        "today may take KRA a while; a sale may also go out without one."
    )


class KRASilent(Upstream):
    status = 503
    help = (
        "Try again in a minute; GET /health/ shows KRA's state. A sale does not need the look-up: "
        "send it with the PIN as the buyer gave it."
    )


class PinAnswer(Struct):
    pin: str
    name: str
    status: str
    status_code: str
    address: str
    asked_at: datetime
    age_seconds: int
    is_stale: bool

    @classmethod
    def of(cls, row: PinRecord, *, is_stale: bool = False) -> "PinAnswer":
        age = int((timezone.now() - row.asked_at).total_seconds())
        return cls(
            pin=row.pin,
            name=row.name,
            status=STATUSES.get(row.status_code, "unknown"),
            status_code=row.status_code,
            address=row.address,
            asked_at=row.asked_at,
            age_seconds=max(0, age),
            is_stale=is_stale,
        )


def look_up(device: Device, pin: str) -> PinAnswer:
    """The taxpayer behind a PIN. Raises PinUnknown, KRASilent, and Invalid when KRA refuses it."""
    known = _rows(device, pin).first()
    if known is not None and _is_fresh(known):
        return _answer(known)
    try:
        found = _ask(device, pin)
    except (KRASilent, KRAError, HostNotConfigured) as error:
        if known is None or not known.name or isinstance(error, Rejected):
            _refuse(pin, error)
        log.warning("stale PIN answered", extra={"device": device.pk})
        return PinAnswer.of(known, is_stale=True)
    return _answer(_store(device, pin, found))


def _is_fresh(known: PinRecord) -> bool:
    keep = settings.PIN_LOOKUP_CACHE_SECONDS if known.name else settings.PIN_UNKNOWN_CACHE_SECONDS
    return timezone.now() - known.asked_at < timedelta(seconds=keep)


def _answer(row: PinRecord) -> PinAnswer:
    if not row.name:
        raise PinUnknown(f"KRA knows no taxpayer with the PIN {row.pin}.")
    return PinAnswer.of(row)


def _rows(device: Device, pin: str) -> Any:
    return PinRecord.objects.filter(environment=device.company.environment, pin=pin)


def _ask(device: Device, pin: str) -> CustomerInfo | None:
    if breaker.is_open(host_of(device)):
        raise KRASilent("KRA does not answer at present, and the PIN was never looked up before.")
    request = CustomerPinRequest(tin=device.company.pin, bhfId=device.branch.code, custmTin=pin)
    reply = exchange(device, "customer_pin", request.encode(), reference="PIN look-up")
    found = None if reply.is_empty else read_customer(reply.data)
    if found is not None and not (found.name and found.pin in ("", pin)):
        raise KRASilent("KRA's answer is not about this PIN, and it was never looked up before.")
    return found


def _refuse(pin: str, error: Exception) -> NoReturn:
    if not isinstance(error, KRAError):
        raise error
    meaning = explain(error.code, error.message)
    if isinstance(error, Rejected):
        problem = Problem("pin", f"{error.code}: {meaning.cause}", meaning.next_step)
        raise Invalid("KRA refuses the question.", problems=[problem]) from error
    raise KRASilent(
        f"KRA gave no usable answer, and the PIN was never looked up before. {error.code}: "
        f"{meaning.cause}"
    ) from error


def _store(device: Device, pin: str, found: CustomerInfo | None) -> PinRecord:
    """Keep it for all processes; of two that asked at once the later answer stays. What was known
    of a PIN that KRA does not know any more is no longer true.
    """
    row = PinRecord(environment=device.company.environment, pin=pin, asked_at=timezone.now())
    if found is not None:
        places = (found.address, found.sector, found.district, found.province)
        row.name = storable(found.name, 200)
        row.status_code = storable(found.status_code, 5)
        row.address = storable(", ".join(dict.fromkeys(place for place in places if place)), 500)
    PinRecord.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["environment", "pin"],
        update_fields=["name", "status_code", "address", "asked_at"],
    )
    return row
