"""Set a lane's counter right after an incident (a restored backup, a number used elsewhere).

Never by guess: KRA must confirm the number first. Without that, one wrong number taxes a sale twice
or blocks the till.
"""

import logging

from django.db import transaction

from devices.calls import exchange
from kra.codes import explain
from kra.errors import KRAError
from kra.requests import InvoiceDetailsRequest

from .errors import CounterNotProven, LaneBusy
from .lanes import Lease
from .models import Lane, Status, Stream, Transmission
from .services import requeue_conflicts

log = logging.getLogger(__name__)


def resync_counter(lane: Lane, *, last_number: int, reason: str) -> None:
    """Make `last_number` the lane's last accepted number, once KRA has confirmed it.

    Messages in conflict go back to the queue and take new numbers. Raises CounterNotProven,
    LaneBusy.
    """
    lease = Lease.take(lane.pk)
    if lease is None:
        raise LaneBusy("A worker is draining this lane.")
    try:
        prove(lane, last_number)
        with transaction.atomic(durable=True):
            Lane.objects.filter(pk=lane.pk).update(last_number=last_number)
            requeue_conflicts(lane)
    finally:
        lease.release()
    log.warning("counter set", extra={"lane": lane.pk, "number": last_number, "outcome": reason})


def prove(lane: Lane, last_number: int) -> None:
    """Sales are looked up; for other streams KRA's own refusal names the number it expects."""
    if lane.stream == Stream.FISCAL:
        if last_number and not _is_held(lane, last_number):
            raise CounterNotProven(f"KRA does not know number {last_number}.")
        if _is_held(lane, last_number + 1):
            raise CounterNotProven(f"KRA knows number {last_number + 1} as well.")
        return
    head = Transmission.objects.filter(lane=lane, status=Status.CONFLICT).first()
    if head is None or head.expected_number != last_number + 1:
        raise CounterNotProven(
            f"KRA has not said that it expects {last_number + 1}.",
            help="Only a number that KRA's refusal names can be set for this stream.",
        )


def _is_held(lane: Lane, number: int) -> bool:
    device = lane.device
    body = InvoiceDetailsRequest(
        tin=device.company.pin, bhfId=device.branch.code, invcNo=number
    ).encode()
    try:
        reply = exchange(device, "invoice_details", body, reference=f"counter {number}")
    except KRAError as error:
        meaning = explain(error.code, error.message)
        raise CounterNotProven(
            f"KRA could not be asked about number {number}: {meaning.cause}"
        ) from error
    return not reply.is_empty
