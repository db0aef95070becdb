"""Set a lane's counter right after an incident (a restored backup, a number used elsewhere).

Never by guess: KRA must confirm the number first. Without that, one wrong number taxes a sale twice
or blocks the till.
"""

import hashlib
import logging

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.events import announce
from devices.calls import exchange
from devices.services import release_restored
from kra.answers import Reply
from kra.codes import explain
from kra.errors import KRAError
from kra.requests import InvoiceDetailsRequest

from . import statements
from .errors import CounterNotProven, LaneBusy
from .handlers import handler_for
from .lanes import Lease
from .models import Lane, Status, Stream, Transmission
from .services import requeue_conflicts
from .verdicts import accept

log = logging.getLogger(__name__)

MOST_LOOKED_UP = 500
NOT_ADOPTED = "Nothing was changed. GET /api/logs/ shows what KRA answered."


def resync_counter(lane: Lane, *, last_number: int, reason: str) -> None:
    """Make `last_number` the lane's last accepted number, once KRA has confirmed it.

    Each number that we have not accounted for is looked up first: a waiting message that KRA holds
    under it (it was accepted before a backup was restored) is adopted there. Only what is left goes
    back to the queue and takes a new number. Raises CounterNotProven, LaneBusy.
    """
    lease = Lease.take(lane.pk)
    if lease is None:
        raise LaneBusy("A worker is draining this lane.")
    try:
        prove(lane, last_number)
        if lane.stream == Stream.FISCAL:
            adopt_held(lane, last_number, lease)
        with transaction.atomic(durable=True):
            _keep(lease)
            _note_counter(lane, last_number, reason)
            Lane.objects.filter(pk=lane.pk).update(last_number=last_number)
            requeue_conflicts(lane)
            if lane.stream == Stream.FISCAL:
                release_restored(lane.device_id)
    finally:
        lease.release()
    log.warning("counter set", extra={"lane": lane.pk, "number": last_number, "outcome": reason})


def _note_counter(lane: Lane, last_number: int, reason: str) -> None:
    before = Lane.objects.values_list("last_number", flat=True).get(pk=lane.pk)
    about = {"stream": lane.stream, "before": before, "after": last_number, "reason": reason}
    announce("counter_set", lane.device_id, **about)


def _keep(lease: Lease) -> None:
    """KRA may be slow: the lane stays ours. Runs in a transaction."""
    if not lease.renew(statements.lock_lane(lease.lane_id), timezone.now()):
        raise LaneBusy("Another worker took the lane meanwhile.")


def adopt_held(lane: Lane, last_number: int, lease: Lease) -> None:
    """Give waiting messages the numbers under which KRA holds them already."""
    if last_number - lane.last_number > MOST_LOOKED_UP:
        raise CounterNotProven(
            f"More than {MOST_LOOKED_UP} numbers are unaccounted for.",
            help="Restore a newer backup, or raise the counter in steps.",
        )
    known = set(
        Transmission.objects.filter(lane=lane, status=Status.ACCEPTED).values_list(
            "number", flat=True
        )
    )
    for number in range(lane.last_number + 1, last_number + 1):
        if number not in known:
            with transaction.atomic(durable=True):
                _keep(lease)
            reply = _ask(lane, number)
            if not reply.is_empty:
                _adopt_readable(lane, number, reply)


def adopt_number(lane: Lane, number: int) -> Transmission:
    """Give one waiting message what KRA holds under `number`; nothing is sent, not even later by
    this call. The proof is KRA's answer of this moment, equal to the second and the line.

    Raises CounterNotProven when KRA does not hold the number or no waiting message equals it, and
    LaneBusy.
    """
    lease = Lease.take(lane.pk)
    if lease is None:
        raise LaneBusy("A worker is draining this lane.")
    try:
        reply = _ask(lane, number)
        if reply.is_empty:
            raise CounterNotProven(f"KRA does not know number {number}.", help=NOT_ADOPTED)
        with transaction.atomic(durable=True):
            _keep(lease)
        row = _adopt_readable(lane, number, reply)
    except IntegrityError as error:
        text = f"Another message of ours stands under number {number}."
        raise CounterNotProven(text, help=NOT_ADOPTED) from error
    finally:
        lease.release()
    if row is None or row.status != Status.ACCEPTED:
        text = f"No waiting message of ours equals KRA's document {number}."
        raise CounterNotProven(text, help=NOT_ADOPTED)
    log.warning("adopted", extra={"lane": lane.pk, "number": number, "reference": row.reference})
    return row


def _adopt_readable(lane: Lane, number: int, reply: Reply) -> Transmission | None:
    try:
        return _adopt(lane, number, reply)
    except KRAError as error:
        raise CounterNotProven(f"KRA's record of number {number}: {error.message}") from error


def _adopt(lane: Lane, number: int, reply: Reply) -> Transmission | None:
    for row in Transmission.objects.filter(lane=lane).open().order_by("id"):
        handler = handler_for(row.kind)
        row.lane, row.number = lane, number
        found = handler.found(row, reply)
        if found is None or found.differences:
            continue
        with transaction.atomic(durable=True):
            # What conflicts may stand under this very number; it takes a new one afterwards.
            held = Transmission.objects.filter(lane=lane, status=Status.CONFLICT)
            held.exclude(pk=row.pk).update(number=None)
            row.body = handler.build(row, number)
            row.sha256 = hashlib.sha256(row.body).hexdigest()
            row.save(update_fields=["number", "body", "sha256"])
            accept(row, handler, found.receipt)
            about = {"transmission": row.pk, "reference": row.reference, "number": number}
            announce("adopted", lane.device_id, **about)
        return row
    return None


def prove(lane: Lane, last_number: int) -> None:
    """Sales are looked up; for other streams KRA's own refusal names the number it expects."""
    if lane.stream == Stream.FISCAL:
        if last_number and not is_held(lane, last_number):
            raise CounterNotProven(f"KRA does not know number {last_number}.")
        if is_held(lane, last_number + 1):
            raise CounterNotProven(f"KRA knows number {last_number + 1} as well.")
        return
    head = Transmission.objects.filter(lane=lane, status=Status.CONFLICT).first()
    if head is None or head.expected_number != last_number + 1:
        raise CounterNotProven(
            f"KRA has not said that it expects {last_number + 1}.",
            help="Only a number that KRA's refusal names can be set for this stream.",
        )


def is_held(lane: Lane, number: int) -> bool:
    return not _ask(lane, number).is_empty


def _ask(lane: Lane, number: int) -> Reply:
    device = lane.device
    body = InvoiceDetailsRequest(
        tin=device.company.pin, bhfId=device.branch.code, invcNo=number
    ).encode()
    try:
        return exchange(device, "invoice_details", body, reference=f"counter {number}")
    except KRAError as error:
        meaning = explain(error.code, error.message)
        raise CounterNotProven(
            f"KRA could not be asked about number {number}: {meaning.cause}"
        ) from error
