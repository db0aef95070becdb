"""Bring events to their endpoints: claim → send → record, like the outbox, and at least once.

- A claim moves the row behind the longest exchange: if the process dies, the row is due again.
- An answer is recorded only by whoever holds the count the row was claimed with.
- No transaction is open while a receiver answers.
One task sends for the whole installation, with threads of its own: receivers, however slow, take
one place of a worker and no more, and KRA's lanes keep the rest.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from monitoring.models import Delivery, Endpoint, Event, Feed

from . import payloads, schedule, sending
from .sending import Answer

log = logging.getLogger(__name__)

State = Delivery.State
TURN_EVENTS = 50
LOOKED_AT = 200
GONE = 410
BUSY = (429, 503)


def run(*, until: float, stop: Callable[[], bool] = lambda: False) -> int:
    """Send what is due until nothing is, `stop()`, or monotonic `until`. Returns turns taken."""
    me = _become_sender(until)
    if me is None:
        return 0
    turns = 0
    flying: dict[Future[int], Endpoint] = {}
    try:
        with ThreadPoolExecutor(settings.WEBHOOK_THREADS, "webhooks") as pool:
            while time.monotonic() < until and not stop():
                for endpoint in choose(list(flying.values())):
                    flying[pool.submit(_turn_in_thread, endpoint.pk, until)] = endpoint
                    turns += 1
                if not flying:
                    break
                done, _ = wait(flying, timeout=1.0, return_when=FIRST_COMPLETED)
                for each in done:
                    del flying[each]
    finally:
        Feed.objects.filter(sender=me).update(sender=None, sender_until=None)
    return turns


def _become_sender(until: float) -> uuid.UUID | None:
    """One process sends at a time; a dead one is followed once its time is over."""
    Feed.objects.bulk_create([Feed()], ignore_conflicts=True)
    now, me = timezone.now(), uuid.uuid4()
    turn = timedelta(seconds=max(0.0, until - time.monotonic()) + settings.WEBHOOK_SLICE_SECONDS)
    free = Q(sender_until=None) | Q(sender_until__lt=now)
    mine = Feed.objects.filter(free, pk=1)
    taken = mine.update(sender=me, sender_until=now + turn + schedule.longest_exchange())
    return me if taken else None


def due(now: datetime) -> "Q":
    return Q(state=State.PENDING, next_attempt_at__lte=now)


def choose(flying: list[Endpoint]) -> list[Endpoint]:
    """Whose turn it is: the company that is served least now, then whoever waited longest."""
    now = timezone.now()
    rested = Q(resume_at=None) | Q(resume_at__lte=now)
    waiting = Delivery.objects.filter(due(now), endpoint=OuterRef("pk"))
    found = Endpoint.objects.filter(rested, Exists(waiting), state=Endpoint.State.ACTIVE)
    found = found.exclude(pk__in=[each.pk for each in flying]).exclude(company__is_active=False)
    found = found.only("pk", "company_id", "last_sent_at")
    candidates = list(found.order_by(F("last_sent_at").asc(nulls_first=True), "pk")[:LOOKED_AT])
    served = Counter(each.company_id for each in flying)
    chosen: list[Endpoint] = []
    while candidates and len(flying) + len(chosen) < settings.WEBHOOK_THREADS:
        # `min` takes the first of equals: the one that waited longest.
        best = min(candidates, key=lambda each: served[each.company_id])
        candidates.remove(best)
        served[best.company_id] += 1
        chosen.append(best)
    return chosen


def _turn_in_thread(endpoint_id: int, until: float) -> int:
    try:
        return turn(
            endpoint_id, until=min(until, time.monotonic() + settings.WEBHOOK_SLICE_SECONDS)
        )
    except Exception:
        log.exception("webhook turn failed", extra={"endpoint": endpoint_id})
        Endpoint.objects.filter(pk=endpoint_id).update(
            resume_at=timezone.now() + timedelta(seconds=schedule.REST_LONGEST)
        )
        return 0
    finally:
        if threading.current_thread() is not threading.main_thread():
            connections.close_all()


def turn(endpoint_id: int, *, until: float) -> int:
    """Send one endpoint's events, oldest first, until it fails, has no more, or time is up."""
    Endpoint.objects.filter(pk=endpoint_id).update(last_sent_at=timezone.now())
    for sent in range(TURN_EVENTS):
        row = claim(endpoint_id)
        if row is None:
            return sent
        if not deliver(row) or time.monotonic() > until:
            return sent + 1
    return TURN_EVENTS


def claim(endpoint_id: int) -> Delivery | None:
    """Own the endpoint's next event for one exchange."""
    now = timezone.now()
    rows = Delivery.objects.filter(due(now), endpoint=endpoint_id).select_related("endpoint")
    usable = rows.filter(endpoint__state=Endpoint.State.ACTIVE)
    row: Delivery | None = usable.order_by("next_attempt_at", "id").first()
    if row is None:
        return None
    mine = Delivery.objects.filter(due(now), pk=row.pk, attempts=row.attempts)
    lease = now + schedule.longest_exchange()
    if not mine.update(attempts=F("attempts") + 1, next_attempt_at=lease):
        return None
    row.attempts += 1
    return row


def deliver(row: Delivery) -> bool:
    """Send a claimed row and record what came of it. False when the endpoint shall rest."""
    event = payloads.whole(Event.objects.filter(pk=row.event_id)).get()
    answer = send(row.endpoint, payloads.message_id(event), payloads.body_of(event))
    record(row, answer)
    log.info(
        "webhook",
        extra={
            "endpoint": row.endpoint_id, "event": row.event_id, "attempt": row.attempts,
            "code": answer.status, "ms": answer.elapsed_ms, "reason": answer.error,
        },
    )  # fmt: skip
    return answer.is_success


def send(endpoint: Endpoint, message_id: str, body: bytes) -> Answer:
    secrets = [endpoint.secret]
    overlap = endpoint.previous_until
    if endpoint.previous_secret and overlap is not None and overlap > timezone.now():
        secrets.append(endpoint.previous_secret)
    return sending.post(endpoint.url, sending.signed_headers(secrets, message_id, body), body)


@transaction.atomic(durable=True)
def record(row: Delivery, answer: Answer) -> bool:
    """Store the outcome, if this attempt still owns the row. The endpoint learns from it too."""
    now = timezone.now()
    facts: dict[str, Any] = {
        "last_status": answer.status,
        "last_answer": answer.body,
        "last_error": answer.error,
        "elapsed_ms": answer.elapsed_ms,
    }
    if answer.is_success:
        facts |= {"state": State.DELIVERED, "finished_at": now}
    elif answer.status == GONE or schedule.is_given_up(row.due_since, now):
        facts |= {"state": State.FAILED, "finished_at": now}
    else:
        facts["next_attempt_at"] = schedule.next_attempt(row.due_since, now)
    mine = Delivery.objects.filter(pk=row.pk, state=State.PENDING, attempts=row.attempts)
    if not mine.update(**facts):
        return False
    if answer.is_success:
        _recovered(row.endpoint, now)
    else:
        _failed(row.endpoint, answer, now)
    return True


def _recovered(endpoint: Endpoint, now: datetime) -> None:
    """It answers again: whatever waited for its own time goes now."""
    ill = Endpoint.objects.filter(pk=endpoint.pk, failures__gt=0)
    if ill.update(failures=0, failing_since=None, resume_at=None):
        waiting = Delivery.objects.filter(endpoint=endpoint, state=State.PENDING)
        waiting.filter(next_attempt_at__gt=now).update(next_attempt_at=now)


def _failed(endpoint: Endpoint, answer: Answer, now: datetime) -> None:
    mine = Endpoint.objects.filter(pk=endpoint.pk, state=Endpoint.State.ACTIVE)
    wait_s = answer.retry_after_s if answer.status in BUSY else None
    mine.update(
        failures=F("failures") + 1,
        failing_since=Coalesce("failing_since", now),
        resume_at=schedule.rest(endpoint.failures + 1, now, wait_s),
    )
    reason = ""
    if answer.status == GONE:
        reason = "The receiver answered 410 Gone: it wants no more."
    elif schedule.is_dead(endpoint.failing_since, now):
        last = f"HTTP {answer.status}" if answer.status else answer.error
        reason = f"It failed since {endpoint.failing_since:%Y-%m-%d}; lastly: {last}"
    if reason:
        mine.update(state=Endpoint.State.DISABLED, state_reason=reason[:300])
        log.error("webhook disabled", extra={"endpoint": endpoint.pk, "reason": reason})
