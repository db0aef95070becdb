"""Celery is a doorbell: tasks carry ids, the rows in PostgreSQL decide what is done."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")

app = Celery("etims_integration")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
