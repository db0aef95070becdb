"""Bring messages to KRA, each exactly once and in order: claim → send → record.

Why a crash cannot lose or double one:
- before the claim commits: nothing was sent; the row is still queued.
- after it, the row is `sending` and its call is open: whoever takes the lane's lease next reads a
  stored answer, or treats the outcome as unknown and asks KRA. Never does it send blindly.
- after the answer was stored: it is read from the row; nothing is sent.
- a late worker writes with the `attempts` it claimed; the count has moved on, so nothing changes.
No transaction and no lock is held while KRA answers.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.events import announce
from devices.calls import (
    finish_call,
    forget_devices,
    new_call,
    post,
    storable,
    target_for,
)
from devices.models import Call, Device
from kra.answers import Reply, read
from kra.client import Answer
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected
from kra.profiles import Target

from . import breaker, statements
from .backoff import next_attempt
from .handlers import Found, Handler, handler_for, lookup_of
from .lanes import Lease
from .models import Lane, Status, Transmission, host_of

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


@dataclass(frozen=True, slots=True)
class Claim:
    """One step that this worker owns: a send, or a look-up of an unknown outcome."""

    row: Transmission
    handler: Handler
    call: Call
    target: Target
    body: bytes
    host: str

    @property
    def is_lookup(self) -> bool:
        return self.row.status == Status.UNKNOWN


def drain(lane_id: int, *, until: float, stop: Callable[[], bool] = lambda: False) -> bool:
    """Deliver the lane's messages from the head until it waits, `stop()`, or monotonic `until`.

    Safe to call from anywhere, any number of times: one caller holds the lease, the others return
    False at once.
    """
    lease = Lease.take(lane_id)
    if lease is None:
        return False
    try:
        while deliver_next(lease) and not stop() and time.monotonic() < until:
            pass
    finally:
        lease.release()
    return True


def deliver_next(lease: Lease) -> bool:
    """Make one step for the lane's head. False when the lane has nothing to do now."""
    step = claim(lease)
    if not isinstance(step, Claim):
        return step
    if step.is_lookup:
        look_up(step)
    else:
        send(step)
    return True


@transaction.atomic(durable=True)
def claim(lease: Lease) -> "Claim | bool":
    """Take the lane's next step: a Claim, True when something was settled here, False to rest."""
    now = timezone.now()
    lane = statements.lock_lane(lease.lane_id)
    if not lease.renew(lane, now) or not may_send(lane, now):
        return False
    row = statements.head_of(lane.pk)
    if row is None or row.status == Status.CONFLICT or row.not_before > now:
        return False
    row.lane = lane
    handler = handler_for(row.kind)
    if row.status == Status.SENDING:
        recover(row, handler)
        return True
    if row.status == Status.UNKNOWN and (endpoint := lookup_of(row, handler)):
        return _claim_lookup(row, lane, handler, endpoint)
    return _claim_send(row, lane, handler, now)


def may_send(lane: Lane, now: datetime) -> bool:
    if lane.device.state != Device.State.ACTIVE:
        return False
    if lane.resume_at is not None and lane.resume_at > now:
        return False
    return not breaker.is_open(host_of(lane.device))


def _freeze(row: Transmission, lane: Lane, handler: Handler) -> bool:
    """Take the number and build the bytes, for good. False: it cannot be said in KRA's words, and
    must not hold up those behind it.
    """
    # Rule N3: the next number is last accepted + 1, and only an acceptance spends it.
    row.number = handler.next_number(row, lane)
    try:
        row.body = handler.build(row, row.number)
    except ValueError as exc:
        log.exception("cannot be built", extra={"kind": row.kind, "reference": row.reference})
        settle_error(row, handler, Rejected("cannot_build", f"The message cannot be built: {exc}"))
        return False
    row.sha256 = hashlib.sha256(row.body).hexdigest()
    return True


def _claim_send(row: Transmission, lane: Lane, handler: Handler, now: datetime) -> "Claim | bool":
    if row.body is None and not _freeze(row, lane, handler):
        return True
    body = bytes(row.body or b"")
    if hashlib.sha256(body).hexdigest() != row.sha256:
        raise RuntimeError(f"The frozen bytes of transmission {row.pk} were changed.")
    row.status, row.claimed_at = Status.SENDING, now
    outgoing = handler.outgoing(row, body)
    return _claim(row, lane, handler, endpoint=handler.endpoint, body=outgoing)


def _claim_lookup(row: Transmission, lane: Lane, handler: Handler, endpoint: str) -> Claim:
    body = handler.lookup_body(row)
    return _claim(row, lane, handler, endpoint=endpoint, body=body)


def _claim(row: Transmission, lane: Lane, handler: Handler, *, endpoint: str, body: bytes) -> Claim:
    row.attempts += 1
    device = lane.device
    call = new_call(
        device,
        endpoint,
        body,
        reference=row.reference,
        transmission=row.pk,
        attempt=row.attempts,
        number=row.number,
    )
    statements.save_claim(row, call)
    return Claim(row, handler, call, target_for(device), body, host_of(device))


def recover(row: Transmission, handler: Handler) -> None:
    """A worker died between its claim and its record. Runs inside the claim's transaction."""
    calls = Call.objects.filter(transmission=row.pk, attempt=row.attempts)
    call = calls.filter(endpoint=handler.endpoint).order_by("id").last()
    log.warning("recovering", extra={"reference": row.reference, "attempt": row.attempts})
    is_unread = call is not None and call.outcome == Call.Outcome.UNREADABLE
    if call is None or call.http_status is None or is_unread:
        sent_nothing = call is not None and call.outcome == Call.Outcome.UNAVAILABLE
        state = Status.QUEUED if sent_nothing else Status.UNKNOWN
        move(row, to=state, error_code="worker_died", error_message="The worker died on this call.")
        return
    try:
        settle(row, handler, read(handler.endpoint, _stored(call)))
    except KRAError as error:
        settle_error(row, handler, error)


def _stored(call: Call) -> Answer:
    return Answer(
        status=call.http_status or 0,
        body=call.answer.encode(),
        elapsed_ms=call.elapsed_ms or 0,
        content_type="",
        retry_after=None,
        date=None,
    )


def send(step: Claim) -> None:
    try:
        answer = post(step.call, step.target, step.body)
        reply = finish_call(step.call, answer)
    except KRAError as error:
        breaker.note_failure(step.host, error)
        with transaction.atomic(durable=True):
            settle_error(step.row, step.handler, error)
        return
    breaker.note_success(step.host)
    with transaction.atomic(durable=True):
        settle(step.row, step.handler, reply)


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


def look_up(step: Claim) -> None:
    """Ask KRA about an unknown outcome: adopt, send again, or call a person (decision 4)."""
    try:
        reply = finish_call(step.call, post(step.call, step.target, step.body))
    except KRAError as error:
        breaker.note_failure(step.host, error)
        with transaction.atomic(durable=True):
            _still_unknown(step.row, error)
        return
    breaker.note_success(step.host)
    with transaction.atomic(durable=True):
        _weigh(step.row, step.handler, reply)


def _weigh(row: Transmission, handler: Handler, reply: Reply) -> None:
    try:
        found = handler.found(row, reply)
    except KRAError as error:
        _still_unknown(row, error)
    else:
        _decide(row, handler, found)


def _still_unknown(row: Transmission, error: KRAError) -> None:
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
