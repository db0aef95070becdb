"""The feed: what changed since a place, for tills that no webhook can reach.

Rows get their ids before their transactions commit, so "id > the last I saw" loses those that
commit late. Here the place is (transaction, id), and reading stops before the oldest transaction
that still runs: all before it is settled, and nothing can appear there later. No lock is taken.
A transaction that stays open holds the feed back, and loses nothing.
"""

import re
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any

from django.conf import settings
from django.db import connection
from django.db.models import Q
from msgspec import Meta, Struct

from companies.models import ApiToken
from core.errors import DomainError, Invalid, Problem
from monitoring.models import Event, Feed

from .payloads import EventOutput, outputs_of, whole

LOOK_EVERY_S = 1.0
# A waiting reader holds a thread of the web server.
_places = threading.BoundedSemaphore(4)


class PlaceUnknown(DomainError):
    status = 410
    code = "cursor_expired"
    help = (
        "Events after it may have been deleted, or a backup was restored. Start again without "
        "'after': drop the events whose id you know, and read the state of sales in between from "
        "GET /api/invoices/."
    )


class FeedOutput(Struct):
    events: list[EventOutput]
    next: Annotated[str, Meta(description="Send it as ?after= the next time.")]
    has_more: Annotated[bool, Meta(description="Ask again at once.")]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    era: int
    transaction: int
    id: int

    @classmethod
    def read(cls, text: str) -> "Place":
        found = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,18})-([0-9]{1,18})", text)
        if found is None:
            problem = Problem("after", "It is no place in the feed.", "Send 'next' as it came.")
            raise Invalid("The parameter is not valid.", problems=[problem])
        return cls(*(int(part) for part in found.groups()))

    def __str__(self) -> str:
        return f"{self.era}-{self.transaction}-{self.id}"


def read(token: ApiToken, after: str, *, kinds: list[str], limit: int) -> FeedOutput:
    """Up to `limit` events after a place, in order. Raises Invalid, PlaceUnknown.

    The horizon is asked for before the rows: what it covers is committed, and visible to them.
    """
    horizon = _horizon()
    state = _state()
    if after == "latest":
        return FeedOutput([], str(Place(state.era, horizon, 0)), has_more=False)
    place = Place.read(after) if after else None
    rows = list(_rows(token, place, horizon, kinds)[: limit + 1])
    # After the rows: if they were pruned meanwhile, the mark says so.
    _check(place, horizon)
    page = rows[:limit]
    has_more = len(rows) > limit
    end = Place(state.era, horizon, 0)
    if has_more:
        end = Place(state.era, page[-1].recorded_in, page[-1].pk)
    elif place is not None:
        end = max(end, place)
    return FeedOutput(outputs_of(page), str(end), has_more)


def _rows(token: ApiToken, place: Place | None, horizon: int, kinds: list[str]) -> Any:
    rows: Any = Event.objects.visible_to(token).filter(recorded_in__lt=horizon)
    if place is not None:
        later = Q(recorded_in=place.transaction, pk__gt=place.id)
        rows = rows.filter(Q(recorded_in__gt=place.transaction) | later)
        rows = rows.filter(recorded_in__gte=place.transaction)
    if kinds:
        rows = rows.filter(kind__in=kinds)
    return whole(rows).order_by("recorded_in", "pk")


def _horizon() -> int:
    """The oldest transaction that still runs and may write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        ((found,),) = cursor.fetchall()
    return int(found)


def _state() -> Feed:
    return Feed.objects.filter(pk=1).first() or Feed()


def _check(place: Place | None, horizon: int) -> None:
    state = _state()
    if place is None:
        return
    if place.era != state.era or place.transaction > horizon:
        raise PlaceUnknown("The place belongs to another time of this installation.")
    if place.transaction <= state.pruned_to:
        raise PlaceUnknown(f"Events are kept for {settings.EVENTS_KEEP_DAYS} days.")


def wait(
    token: ApiToken, after: str, *, kinds: list[str], limit: int, seconds: float
) -> FeedOutput:
    """`read`, again and again until there is something or time is up; at once if many wait."""
    found = read(token, after, kinds=kinds, limit=limit)
    until = time.monotonic() + min(seconds, settings.EVENTS_WAIT_MAX)
    if found.events or seconds <= 0 or not _places.acquire(blocking=False):
        return found
    try:
        while not found.events and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            found = read(token, found.next, kinds=kinds, limit=limit)
    finally:
        _places.release()
    return found
