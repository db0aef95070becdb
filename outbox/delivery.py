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

from django.db import transaction
from django.utils import timezone

from devices.calls import (
    finish_call,
    new_call,
    post,
    target_for,
)
from devices.models import Call, Device
from kra.answers import read
from kra.client import Answer
from kra.errors import KRAError, Rejected
from kra.profiles import Target

from . import breaker, statements
from .handlers import Handler, handler_for, lookup_of
from .lanes import Lease
from .models import Lane, Status, Transmission, host_of
from .verdicts import move, settle, settle_error, still_unknown, weigh

log = logging.getLogger(__name__)


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
    lane, row = statements.lock_lane_and_head(lease.lane_id)
    if not lease.renew(lane, now) or not may_send(lane, now):
        return False
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


def _claim_lookup(row: Transmission, lane: Lane, handler: Handler, endpoint: str) -> "Claim | bool":
    body = handler.lookup_body(row)
    return _claim(row, lane, handler, endpoint=endpoint, body=body)


def _claim(
    row: Transmission, lane: Lane, handler: Handler, *, endpoint: str, body: bytes
) -> "Claim | bool":
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
    if not statements.save_claim(row, call):
        # Cancelled, say, while this waited for the lane: nothing of it holds; look again.
        transaction.set_rollback(True)
        return True
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


def look_up(step: Claim) -> None:
    """Ask KRA about an unknown outcome: adopt, send again, or call a person (decision 4)."""
    try:
        reply = finish_call(step.call, post(step.call, step.target, step.body))
    except KRAError as error:
        breaker.note_failure(step.host, error)
        with transaction.atomic(durable=True):
            still_unknown(step.row, error)
        return
    breaker.note_success(step.host)
    with transaction.atomic(durable=True):
        weigh(step.row, step.handler, reply)
