"""Who proves that he lives: a worker by running a task, beat by its own clock, the watchdog by its
look, a backup by its end. Each writes its own row, so that their silences can be told apart.
"""

import logging
import time
from typing import Any

from celery.beat import PersistentScheduler
from django.db import Error, close_old_connections
from django.utils import timezone

from .models import Heartbeat

log = logging.getLogger(__name__)

EVERY_S = 10.0


def note(name: str) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now()})


class BeatScheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery's own, which also says that it lives: without a worker nobody else would know."""

    _next_note = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= self._next_note:
            self._next_note = time.monotonic() + EVERY_S
            self._note()
        return super().tick(*args, **kwargs)

    def _note(self) -> None:
        try:
            close_old_connections()
            note(Heartbeat.Name.BEAT)
        except Error as error:
            # What it schedules does not need the database.
            log.warning("beat: the database refuses (%s)", type(error).__name__)
