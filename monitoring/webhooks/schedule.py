"""When to try again: each wait about as long as all before it, for three days."""

import random
from datetime import datetime, timedelta

from django.conf import settings

FIRST, LONGEST = 5.0, 12 * 3600.0
# However many events wait, a silent receiver is asked this often at least and at most.
REST_FIRST, REST_LONGEST = 5.0, 300.0
LONGEST_RETRY_AFTER = 6 * 3600.0


def _later(now: datetime, seconds: float) -> datetime:
    # Never earlier than said; the spread keeps many receivers from being asked at one moment.
    return now + timedelta(seconds=seconds * random.uniform(1.0, 1.2))  # noqa: S311


def next_attempt(due_since: datetime, now: datetime) -> datetime:
    """For an event that is owed since then."""
    waited = (now - due_since).total_seconds()
    return _later(now, min(max(waited, FIRST), LONGEST))


def rest(failures: int, now: datetime, retry_after_s: float | None) -> datetime:
    """How long an endpoint is left alone after so many failures in a row."""
    doubled: float = REST_FIRST * 2 ** min(max(failures, 1) - 1, 10)
    seconds = min(doubled, REST_LONGEST)
    if retry_after_s is not None:
        seconds = min(max(retry_after_s, 1.0), LONGEST_RETRY_AFTER)
    return _later(now, seconds)


def is_given_up(due_since: datetime, now: datetime) -> bool:
    return now - due_since > timedelta(hours=settings.WEBHOOK_GIVE_UP_HOURS)


def is_dead(failing_since: datetime | None, now: datetime) -> bool:
    """Whether an endpoint has failed for so long that somebody must look."""
    limit = timedelta(days=settings.WEBHOOK_DISABLE_AFTER_DAYS)
    return failing_since is not None and now - failing_since > limit


def longest_exchange() -> timedelta:
    return timedelta(seconds=settings.WEBHOOK_TOTAL_TIMEOUT + 30)
