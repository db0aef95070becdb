"""What other apps ask of the outbox."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from devices.models import Call

from . import doorbell
from .errors import LaneBusy, NotCancellable, NotRetryable
from .models import Lane, Status, Transmission

_lane_ids: dict[tuple[int, str], int] = {}


def lane_id_of(device_id: int, stream: str) -> int:
    """The lane of a device's stream, made on first use. Lanes are never deleted."""
    known = _lane_ids.get((device_id, stream))
    if known is None:
        lane, _ = Lane.objects.get_or_create(device_id=device_id, stream=stream)
        known = lane.pk
        # A lane made in this transaction may still be rolled back: remembered once it is not.
        transaction.on_commit(lambda: _lane_ids.update({(device_id, stream): lane.pk}))
    return known


def forget() -> None:
    """Ask the database again which lanes there are."""
    _lane_ids.clear()


def owe(
    *,
    lane_id: int,
    kind: str,
    reference: str,
    content: bytes | None = None,
    **more: datetime | None,
) -> Transmission:
    """A message owed to KRA, not yet saved. `more`: not_before, deadline_at."""
    return Transmission(
        lane_id=lane_id,
        kind=kind,
        reference=reference,
        content=content,
        not_before=more.get("not_before") or timezone.now(),
        deadline_at=more.get("deadline_at"),
    )


def enqueue(row: Transmission) -> Transmission:
    """Store a debt inside the caller's transaction and ring once that has committed."""
    row.save(force_insert=True)
    ring_after_commit(row.lane_id)
    return row


def enqueue_many(rows: list[Transmission]) -> list[Transmission]:
    Transmission.objects.bulk_create(rows, batch_size=500)
    for lane_id in {row.lane_id for row in rows}:
        ring_after_commit(lane_id)
    return rows


def ring_after_commit(lane_id: int) -> None:
    def ring() -> None:
        doorbell.ring(lane_id)

    # robust: a dead broker must not turn a committed sale into a 500.
    transaction.on_commit(ring, robust=True)


def retry_now(row: Transmission) -> None:
    """Bring the next attempt forward; a conflict is looked up anew. Raises NotRetryable."""
    now = timezone.now()
    mine = Transmission.objects.filter(pk=row.pk)
    waiting = mine.filter(status__in=[Status.QUEUED, Status.UNKNOWN]).update(not_before=now)
    held = mine.filter(status=Status.CONFLICT).update(
        status=Status.UNKNOWN, not_before=now, error_code="", expected_number=None
    )
    if not waiting and not held:
        raise NotRetryable(f"It is {row.status}; there is nothing to retry.", help=_way_out(row))
    Lane.objects.filter(pk=row.lane_id).update(resume_at=None)
    ring_after_commit(row.lane_id)


def _way_out(row: Transmission) -> str:
    if row.status == Status.REFUSED:
        return "Correct it (POST …/correct/) or void it (POST …/void/)."
    return "Nothing is to be done."


def cancel(row: Transmission) -> None:
    """Take back a message that surely never left us. Raises NotCancellable."""
    with transaction.atomic():
        Lane.objects.select_for_update(no_key=True).get(pk=row.lane_id)
        untouched = Transmission.objects.filter(pk=row.pk, status=Status.QUEUED, attempts=0)
        if not untouched.update(status=Status.CANCELLED, finished_at=timezone.now()):
            raise NotCancellable(f"It is {row.status} after {row.attempts} attempts.")


def calls_of(row: Transmission) -> list[Call]:
    return list(Call.objects.filter(transmission=row.pk).order_by("id"))


def free_conflicts(lane: Lane) -> None:
    """Let the lane's conflicts take new numbers. Runs in a transaction, once KRA has decided what
    its last number is. Raises LaneBusy.
    """
    locked = Lane.objects.select_for_update(no_key=True).get(pk=lane.pk)
    if locked.lease_until is not None and locked.lease_until > timezone.now():
        raise LaneBusy("A worker is draining this lane.")
    requeue_conflicts(lane)


def requeue_conflicts(lane: Lane) -> None:
    Transmission.objects.filter(lane=lane, status=Status.CONFLICT).update(
        status=Status.QUEUED,
        number=None,
        body=None,
        sha256="",
        error_code="",
        expected_number=None,
        not_before=timezone.now(),
    )
    ring_after_commit(lane.pk)
