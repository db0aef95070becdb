"""The circuit breaker: when a host stops answering, stop knocking; probe; start again slowly.

State is a row, so that it survives restarts and every process sees it; each process looks at the
row at most once a second.
"""

import random
import re
import time
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from devices.calls import storable
from kra.errors import KRAError, OutcomeUnknown, Unavailable

from .models import OPEN, Breaker, Lane

LOOK_EVERY_S = 1.0
# Verdicts of KRA's own machine prove that the host is alive, however bad the verdict.
ALIVE = ("http_429", "token_refused", "incomplete_answer", "refused_by_gateway")

_seen: dict[str, tuple[float, bool, int]] = {}


def is_open(host: str) -> bool:
    return _look(host)[0]


def _look(host: str) -> tuple[bool, int]:
    until, opened, failures = _seen.get(host, (0.0, False, 0))
    if time.monotonic() >= until:
        row = Breaker.objects.filter(host=host).first()
        opened, failures = (row.is_open, row.failures) if row else (False, 0)
        _seen[host] = (time.monotonic() + LOOK_EVERY_S, opened, failures)
    return opened, failures


def forget() -> None:
    """Look at the rows again at once."""
    _seen.clear()


def is_fault(error: KRAError) -> bool:
    """Whether an error says that the host, not the message, is in trouble."""
    if not isinstance(error, (Unavailable, OutcomeUnknown)) or error.code in ALIVE:
        return False
    return error.expected_number is None and not is_verdict(error.code)


def is_verdict(code: str) -> bool:
    """Whether a code is KRA's own (digits and capitals) or a word of ours (small letters)."""
    return re.fullmatch(r"[0-9A-Z]+", code) is not None


def note_success(host: str) -> None:
    if _look(host)[1]:
        Breaker.objects.filter(host=host, is_open=False).update(failures=0)
        _seen.pop(host, None)


def note_failure(host: str, error: KRAError) -> None:
    """Count a fault; open after settings.OUTBOX_BREAKER_THRESHOLD in a row."""
    if not is_fault(error):
        return
    now = timezone.now()
    Breaker.objects.get_or_create(host=host)
    Breaker.objects.filter(host=host).update(
        failures=F("failures") + 1, last_error=storable(f"{error.code}: {error.message}", 300)
    )
    tired = Breaker.objects.filter(
        host=host, is_open=False, failures__gte=settings.OUTBOX_BREAKER_THRESHOLD
    )
    tired.update(is_open=True, opened_at=now, probe_at=now + _cooldown())
    _seen.pop(host, None)


def take_probe(host: str) -> bool:
    """Whether this process may probe now: one does, per cooldown."""
    now = timezone.now()
    due = Breaker.objects.filter(host=host, is_open=True, probe_at__lte=now)
    return due.update(probe_at=now + _cooldown()) == 1


def close(host: str) -> int:
    """The host answers again: close, and let the waiting lanes start one after the other.

    Returns how many lanes wait.
    """
    if not Breaker.objects.filter(host=host, is_open=True).update(
        is_open=False, failures=0, closed_at=timezone.now()
    ):
        return 0
    _seen.pop(host, None)
    environment, profile = host.split("/")
    waiting = Lane.objects.filter(
        device__company__environment=environment, device__company__profile=profile
    )
    lanes = list(waiting.filter(transmissions__status__in=OPEN).distinct().order_by("pk"))
    random.shuffle(lanes)
    for place, lane in enumerate(lanes):
        wait = timedelta(seconds=place / settings.OUTBOX_RAMP_LANES_PER_SECOND)
        lane.resume_at = timezone.now() + wait
    Lane.objects.bulk_update(lanes, ["resume_at"], batch_size=500)
    return len(lanes)


def _cooldown() -> timedelta:
    return timedelta(seconds=settings.OUTBOX_BREAKER_COOLDOWN * random.uniform(0.8, 1.2))
