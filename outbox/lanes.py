"""Who drains a lane now: a lease on the lane's row, renewed at each claim."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from .models import Lane

# Renewed only when less than one call's time is left, not at every claim. With the default timeouts
# a dead worker's lane moves again within a minute.
SPARE = 1.15


def lease_time() -> timedelta:
    """Longer than the longest call, so that only a dead worker loses its lease."""
    # A token may have to be fetched first; each of the two may connect and read for so long.
    longest = 2 * (settings.KRA_CONNECT_TIMEOUT + settings.KRA_READ_TIMEOUT)
    return timedelta(seconds=longest + settings.OUTBOX_LEASE_MARGIN)


@dataclass(frozen=True, slots=True)
class Lease:
    lane_id: int
    owner: uuid.UUID

    @classmethod
    def take(cls, lane_id: int) -> "Lease | None":
        """Become the lane's worker, or None when it has one that lives."""
        owner, now = uuid.uuid4(), timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        taken = Lane.objects.filter(free, pk=lane_id).update(
            lease_owner=owner, lease_until=now + SPARE * lease_time()
        )
        return cls(lane_id, owner) if taken else None

    def release(self) -> None:
        mine = Lane.objects.filter(pk=self.lane_id, lease_owner=self.owner)
        mine.update(lease_owner=None, lease_until=None)

    def renew(self, lane: Lane, now: datetime) -> bool:
        """Keep the locked lane for one more call. False: somebody else took it."""
        if lane.lease_owner != self.owner:
            return False
        if lane.lease_until is None or lane.lease_until < now + lease_time():
            lane.lease_until = now + SPARE * lease_time()
            Lane.objects.filter(pk=lane.pk).update(lease_until=lane.lease_until)
        return True
