"""How old something is when it may go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from kra.profiles import ENDPOINTS
from outbox.models import Stream

# Tax law wants five years; no setting takes less from a company in production.
FEWEST_YEARS = 5
DAYS_OF_A_YEAR = 366
# What KRA was merely asked. Its word on an invoice is not among these: sales were adopted by it.
ASKED = sorted(e.id for e in ENDPOINTS.values() if e.kind == "read" and e.id != "invoice_details")
STREAMS = [stream.value for stream in Stream]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of what grows old on a device. `what` is an outbox stream for frozen messages."""

    what: str
    cut: datetime

    @property
    def is_messages(self) -> bool:
        return self.what in STREAMS


def kinds(now: datetime, *, is_production: bool) -> Iterator[Kind]:
    yield Kind("asked", now - timedelta(days=settings.DEBUG_KEEP_DAYS))
    yield Kind("calls", now - timedelta(days=settings.CALL_BODIES_KEEP_DAYS))
    years = settings.FISCAL_KEEP_YEARS
    if is_production:
        years = max(years, FEWEST_YEARS)
    for stream in STREAMS:
        yield Kind(stream, now - timedelta(days=years * DAYS_OF_A_YEAR))
