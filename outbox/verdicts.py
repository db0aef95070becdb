"""What KRA's answer makes of a message: each function runs in the transaction that records it."""

import logging
from typing import Any

from django.utils import timezone

from core.events import announce
from devices.calls import forget_devices, storable
from devices.models import Call, Device
from kra.answers import Reply
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected

from . import breaker, statements
from .backoff import next_attempt
from .handlers import Found, Handler, handler_for
from .models import Status, Transmission

log = logging.getLogger(__name__)

# The same verdict on the same bytes, each time proven "not stored": a person must look.
MAX_SENDS_WITH_ONE_CODE = 4
TAKEN_CODES = ["994", "stock_sequence", "invoice_sequence", "invoice_number"]
# Tries that KRA may hold. An acceptance is among them when it came after our lease had ended.
PERHAPS_STORED = [
    Call.Outcome.OPEN,
    Call.Outcome.UNKNOWN,
    Call.Outcome.UNREADABLE,
    Call.Outcome.ACCEPTED,
]


def settle(row: Transmission, handler: Handler, reply: Reply) -> None:
    """Record an acceptance. One that turns out unreadable is an error like any other."""
    try:
        receipt = handler.read(reply)
    except KRAError as error:
        settle_error(row, handler, error)
    else:
        accept(row, handler, receipt)


def accept(row: Transmission, handler: Handler, receipt: Any) -> None:
    """Record KRA's acceptance: the row, its number and what follows from it, all or nothing."""
    if not statements.save_acceptance(row, timezone.now(), numbered=handler.has_lane_number):
        log.warning("late worker", extra={"reference": row.reference, "attempt": row.attempts})
        return
    row.status = Status.ACCEPTED
    handler.spend_number(row)
    handler.accepted(row, receipt)
    _log(row)


def settle_error(row: Transmission, handler: Handler, error: KRAError) -> None:
    """Do what the error's class says. Runs in a transaction."""
    facts = {
        "error_code": storable(error.code, 30),
        "error_message": storable(error.message, 500),
        "expected_number": error.expected_number,
    }
    if not handler.lookup and says_taken(error):
        _taken(row, handler, facts)
    elif isinstance(error, Rejected) and handler.second_look and _was_lost(row, handler):
        move(row, to=Status.UNKNOWN, not_before=timezone.now(), **facts)
    elif isinstance(error, Rejected):
        if move(row, to=Status.REFUSED, **facts):
            handler.refused(row, error)
    elif isinstance(error, OutcomeUnknown):
        # Without a look-up nothing proves "not stored": the same verdict for ever needs a person.
        is_stuck = not handler.lookup and _is_hopeless(row, handler, error.code)
        state = Status.CONFLICT if is_stuck else Status.UNKNOWN
        move(row, to=state, not_before=next_attempt(row.attempts, error), **facts)
    elif isinstance(error, DeviceRefused):
        if move(row, to=Status.QUEUED, **facts):
            stop_device(row, error)
    else:
        move(row, to=Status.QUEUED, not_before=next_attempt(row.attempts, error), **facts)
    _log(row)


def says_taken(error: KRAError) -> bool:
    """KRA says that the number, or another one, is stored already."""
    return error.code == "994" or error.expected_number is not None


def _taken(row: Transmission, handler: Handler, facts: dict[str, Any]) -> None:
    """A kind without a look-up: a refused repeat proves that the first try was stored."""
    expected = facts["expected_number"]
    if _was_lost(row, handler) and (expected is None or expected == (row.number or 0) + 1):
        accept(row, handler, None)
    elif row.number is not None or expected is not None:
        move(row, to=Status.CONFLICT, **facts)
    elif move(row, to=Status.REFUSED, **facts):
        # No number to set right: holding up the lane would help nobody.
        handler.refused(row, Rejected(facts["error_code"], facts["error_message"]))


def _was_lost(row: Transmission, handler: Handler) -> bool:
    """Whether KRA may have stored an earlier try of these bytes."""
    # A try under another number, before the counter was set right, says nothing about this one.
    earlier = Call.objects.filter(transmission=row.pk, number=row.number, attempt__lt=row.attempts)
    lost = earlier.filter(endpoint=handler.endpoint, outcome__in=PERHAPS_STORED)
    # "Taken" said twice is still no proof that it was us who took it.
    return bool(lost.exclude(code__in=TAKEN_CODES).exists())


def weigh(row: Transmission, handler: Handler, reply: Reply) -> None:
    try:
        found = handler.found(row, reply)
    except KRAError as error:
        still_unknown(row, error)
    else:
        _decide(row, handler, found)


def still_unknown(row: Transmission, error: KRAError) -> None:
    mine = move(row, to=Status.UNKNOWN, not_before=next_attempt(row.attempts, error))
    if mine and isinstance(error, DeviceRefused):
        stop_device(row, error)
    _log(row)


def _decide(row: Transmission, handler: Handler, found: Found | None) -> None:
    if found is None:
        _not_stored(row, handler)
    elif found.differences:
        what = "; ".join(found.differences)
        move(
            row,
            to=Status.CONFLICT,
            error_code="conflict",
            error_message=f"KRA holds another document under number {row.number}: {what}"[:500],
        )
    else:
        accept(row, handler, found.receipt)
    _log(row)


def _not_stored(row: Transmission, handler: Handler) -> None:
    """KRA does not know the number: the same bytes may go again, unless they never will pass."""
    if row.expected_number is not None or row.error_code == "994":
        said = (
            f"KRA expects number {row.expected_number}" if row.expected_number else "KRA said 994"
        )
        text = f"{said}, yet it does not know our number {row.number}. {row.error_message}"
        move(row, to=Status.CONFLICT, error_code="counter", error_message=text[:500])
    elif handler.second_look or _is_hopeless(row, handler, row.error_code):
        error = Rejected(code=row.error_code, message=row.error_message)
        if move(row, to=Status.REFUSED):
            handler.refused(row, error)
    else:
        move(row, to=Status.QUEUED, not_before=timezone.now())


def _is_hopeless(row: Transmission, handler: Handler, code: str) -> bool:
    """KRA's own code, several times on the same bytes (result code 999's advice)."""
    if not breaker.is_verdict(code):
        return False
    calls = Call.objects.filter(transmission=row.pk, endpoint=handler.endpoint)
    return calls.filter(code=code).count() >= MAX_SENDS_WITH_ONE_CODE


def stop_device(row: Transmission, error: DeviceRefused) -> None:
    """KRA refuses the device itself: nothing more is sent until a person has looked."""
    reason = storable(f"{error.code}: {error.message}", 300)
    devices = Device.objects.filter(lanes=row.lane_id, state=Device.State.ACTIVE)
    if devices.update(state=Device.State.REFUSED, state_reason=reason):
        announce("device.state", row.lane.device_id)
    forget_devices()
    log.error("device refused", extra={"reference": row.reference, "code": error.code})


def move(row: Transmission, *, to: str, **changes: Any) -> bool:
    """Leave the claimed state, if this attempt still owns the row."""
    mine = Transmission.objects.filter(pk=row.pk, status=row.status, attempts=row.attempts)
    if to not in (Status.QUEUED, Status.UNKNOWN, Status.CONFLICT):
        changes["finished_at"] = timezone.now()
    moved = mine.update(status=to, **changes) == 1
    if moved:
        row.status = to
        for name, value in changes.items():
            setattr(row, name, value)
        if to == Status.CONFLICT:
            handler_for(row.kind).held(row)
    else:
        log.warning("late worker", extra={"reference": row.reference, "attempt": row.attempts})
    return moved


def _log(row: Transmission) -> None:
    log.info(
        "transmission",
        extra={
            "kind": row.kind, "reference": row.reference, "number": row.number,
            "attempt": row.attempts, "outcome": row.status, "code": row.error_code,
            "lane": row.lane_id,
        },
    )  # fmt: skip
