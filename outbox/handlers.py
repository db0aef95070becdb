"""What the outbox asks of each kind of message. Kinds are listed in settings.OUTBOX_KINDS."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from devices.models import Call
from kra.answers import Reply
from kra.errors import Rejected

from .models import Lane, Transmission


@dataclass(frozen=True, slots=True)
class Found:
    """What KRA holds under our number, and where it differs from what we sent."""

    receipt: Any
    differences: list[str] = field(default_factory=list)


class Handler:
    """Base of all kinds. `accepted` and `refused` run in the transaction that records the verdict;
    they write to the database and nothing else.
    """

    endpoint: str
    # The read that tells whether KRA holds a number; None: the same bytes are sent again, and
    # KRA's "duplicate" is the proof that it holds them.
    lookup: str | None = None
    # Of a kind without a look-up: the read that tells whether a refused repeat was stored at its
    # first try, because KRA may check what was already taken before it checks the number.
    second_look: str | None = None
    # Whether its numbers are the lane's own.
    has_lane_number = False

    def next_number(self, row: Transmission, lane: Lane) -> int | None:
        """The number a first claim takes. None for messages without one."""
        return None

    def spend_number(self, row: Transmission) -> None:
        """KRA accepted the number: move the counter it came from. The lane's own has moved."""

    def build(self, row: Transmission, number: int | None) -> bytes:
        """The bytes to send, from the frozen content and the number just taken."""
        raise NotImplementedError

    def outgoing(self, row: Transmission, body: bytes) -> bytes:
        """The frozen bytes as they leave us: with a secret that must not be stored among them."""
        return body

    def read(self, reply: Reply) -> Any:
        """The part of an acceptance that `accepted` wants."""
        return reply.data

    def accepted(self, row: Transmission, receipt: Any) -> None:
        """KRA has it."""

    def refused(self, row: Transmission, error: Rejected) -> None:
        """KRA does not want it; its number is free again."""

    def held(self, row: Transmission) -> None:
        """A conflict: nothing goes on without a person. In the transaction that says so."""

    def lookup_body(self, row: Transmission) -> bytes:
        raise NotImplementedError

    def found(self, row: Transmission, reply: Reply) -> Found | None:
        """What the look-up answered; None when KRA does not know the number."""
        raise NotImplementedError


class NumberedHandler(Handler):
    """Kinds that take the lane's own number (sales, stock movements, purchases)."""

    has_lane_number = True

    def next_number(self, row: Transmission, lane: Lane) -> int | None:
        return lane.last_number + 1


def lookup_of(row: Transmission, handler: Handler) -> str | None:
    """What to ask KRA about an unknown outcome; None: the same bytes go again."""
    if handler.lookup or handler.second_look is None:
        return handler.lookup
    last = Call.objects.filter(transmission=row.pk, endpoint=handler.endpoint).order_by("id").last()
    is_refused = last is not None and last.outcome == Call.Outcome.REJECTED
    return handler.second_look if is_refused else None


@lru_cache(maxsize=64)
def _handler(path: str) -> Handler:
    handler: Handler = import_string(path)()
    return handler


def handler_for(kind: str) -> Handler:
    return _handler(settings.OUTBOX_KINDS[kind])
