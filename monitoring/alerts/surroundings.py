"""What the server itself tells: disk and database. No rows are needed for these."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import connection

from monitoring.models import Severity

from .findings import Finding


def disk(now: datetime) -> list[Finding]:
    return list(_disks(now))


def _disks(now: datetime) -> Iterator[Finding]:
    for path in {str(settings.BASE_DIR), *settings.ALERT_DISK_PATHS}:
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            title = f"The disk of {path} cannot be looked at: {error.strerror}."
            yield Finding("disk", f"disk:{path}", title, now)
            continue
        percent = 100 * usage.free / usage.total
        if percent < settings.ALERT_DISK_FREE_PERCENT:
            is_near = percent < settings.ALERT_DISK_FREE_PERCENT / 2
            severity = Severity.CRITICAL if is_near else Severity.WARNING
            title = f"Only {percent:.1f} % of the disk of {path} is free."
            yield Finding("disk", f"disk:{path}", title, now, severity)


def database_size(now: datetime) -> list[Finding]:
    """PostgreSQL does not tell a client how much room its disk has: the operator does."""
    if not settings.ALERT_DATABASE_GB:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0] / 1e9
    if size < settings.ALERT_DATABASE_GB:
        return []
    title = f"The database has grown to {size:.1f} GB; ALERT_DATABASE_GB is lower."
    return [Finding("disk", "database", title, now)]


def database_latency(now: datetime) -> list[Finding]:
    """The best of three: one slow answer is chance."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        taken.append((time.perf_counter() - started) * 1000)
    if min(taken) < settings.ALERT_DATABASE_MS:
        return []
    title = f"PostgreSQL takes {min(taken):.0f} ms for a question that asks for nothing."
    return [Finding("database_slow", "database", title, now)]
