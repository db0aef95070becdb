"""Celery is a doorbell: tasks carry ids, the rows in PostgreSQL decide what is done."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_ready

from monitoring import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")

app = Celery("etims_integration")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect(weak=False)  # type: ignore[untyped-decorator]
@beat_init.connect(weak=False)  # type: ignore[untyped-decorator]
def start_telemetry(**_: object) -> None:
    telemetry.start()


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def keep_logging(**_: object) -> None:
    """Django's LOGGING holds in workers and beat too: without a receiver Celery lays its own,
    at WARNING, and no attempt would ever be read.
    """


# So often a worker looks whether a thread has become free.
LOOK_EVERY_S = 0.05


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def wake_now_and_then(sender: Any, **_: object) -> None:
    """Celery's loop sleeps for a second or two while all threads are busy, and does not see that
    one has ended: the next lane would wait as long.
    """
    if sender.hub is not None:
        sender.hub.call_repeatedly(LOOK_EVERY_S, lambda: None)


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def spare_the_collector(**_: object) -> None:
    """What was loaded stays for ever: walking it would stop all threads, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
