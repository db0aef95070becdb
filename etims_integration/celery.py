"""Celery is a doorbell: tasks carry ids, the rows in PostgreSQL decide what is done."""

import os

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init

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
