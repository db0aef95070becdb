"""Let go what is old: small transactions, each whole in itself, so that a death costs nothing.

A window's rows are emptied, the journal is told which, and the mark moves on, all in one
transaction under the lock of the mark. Rows stay; so do receipts, invoices and the journal.
"""

import logging
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from companies.models import Environment
from core.events import announce
from devices.models import Device
from monitoring.models import Alert, AlertNotice, LegalHold, PruneMark

from .ages import Kind, kinds
from .holds import LOCK, held
from .windows import Row, empty_bodies, first_young, look, runs_of

log = logging.getLogger(__name__)

# What had to stay is looked at again after so long.
ROUND = timedelta(days=30)
BATCH = 1000


def prune(*, until: float) -> Counter[str]:
    """Let go what may go until the monotonic time `until`; any number may run at once.

    Returns how many per kind, and how many were old enough and `stay`ed.
    """
    done: Counter[str] = Counter()
    for device_id, kind, end in _work():
        while time.monotonic() < until and (rows := _window(device_id, kind, end)):
            done[kind.what] += sum(row.goes for row in rows)
            done["stay"] += sum(row.is_due and not row.may_go for row in rows)
    while time.monotonic() < until and (count := _debug_rows()):
        done["debug rows"] += count
    log.info("pruned", extra={"outcome": dict(done)})
    return done


def rehearse(*, until: float) -> Counter[str]:
    """What `prune` would let go. Changes nothing."""
    found: Counter[str] = Counter()
    for device_id, kind, end in _work():
        mark = PruneMark.objects.filter(device=device_id, what=kind.what).first() or PruneMark()
        after = _begin(mark)
        while time.monotonic() < until and (rows := look(device_id, kind, after, end)):
            found[kind.what] += sum(row.goes for row in rows)
            found["stay"] += sum(row.is_due and not row.may_go for row in rows)
            after = rows[-1].id
    found["debug rows"] = _old_alerts().count() + _old_sessions().count()
    return found


def _work() -> Any:
    now = timezone.now()
    devices = Device.objects.order_by("pk").values_list("pk", "company__environment")
    ends: dict[str, int] = {}
    for device_id, environment in devices:
        if held(device_id):
            continue
        for kind in kinds(now, is_production=environment == Environment.PRODUCTION):
            if not kind.is_messages and kind.what not in ends:
                ends[kind.what] = first_young(kind.cut)
            yield device_id, kind, ends.get(kind.what, 0)


@transaction.atomic(durable=True)
def _window(device_id: int, kind: Kind, end: int) -> list[Row]:
    """One window; nothing when there is none, when another is at it, or when a hold came."""
    _let_holds_wait()
    if held(device_id):
        return []
    mark = _locked_mark(device_id, kind)
    if mark is None:
        return []
    after = _begin(mark)
    rows = look(device_id, kind, after, end)
    if after != mark.last_id:
        mark.left_from, mark.round_at = None, timezone.now()
    mark.last_id = rows[-1].id if rows else after
    if goes := [row.id for row in rows if row.goes]:
        empty_bodies(goes, kind)
        _tell(device_id, kind, rows, goes)
    if stays := [row.id for row in rows if row.is_due and not row.may_go]:
        mark.left_from = min(stays[0], mark.left_from or stays[0])
        log.warning("old rows stay", extra={"device": device_id, "kind": kind.what})
    mark.save(update_fields=["last_id", "left_from", "round_at"])
    return rows


def _let_holds_wait() -> None:
    """Shared: whoever places a hold waits for the windows that are open, and then nothing goes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def _locked_mark(device_id: int, kind: Kind) -> PruneMark | None:
    new = PruneMark(device_id=device_id, what=kind.what)
    PruneMark.objects.bulk_create([new], ignore_conflicts=True)
    marks = PruneMark.objects.select_for_update(skip_locked=True)
    return marks.filter(device=device_id, what=kind.what).first()


def _begin(mark: PruneMark) -> int:
    if mark.left_from is not None and mark.round_at < timezone.now() - ROUND:
        return int(mark.left_from - 1)
    return int(mark.last_id)


def _tell(device_id: int, kind: Kind, rows: list[Row], goes: list[int]) -> None:
    about: dict[str, Any] = {"first": goes[0], "last": goes[-1], "count": len(goes)}
    if kind.is_messages:
        announce("messages_pruned", device_id, stream=kind.what, **about)
    else:
        announce("bodies_pruned", device_id, what=kind.what, runs=runs_of(rows), **about)


def _old_alerts() -> Any:
    cut = timezone.now() - timedelta(days=settings.DEBUG_KEEP_DAYS)
    over = Alert.objects.filter(recovered_at__lt=cut)
    mine = LegalHold.objects.in_force().filter(company=OuterRef("company"))
    return over.filter(~Exists(mine))


def _old_sessions() -> Any:
    return Session.objects.filter(expire_date__lt=timezone.now())


@transaction.atomic(durable=True)
def _debug_rows() -> int:
    """Alerts that are over, with what was told of them, and people's sessions that have ended."""
    _let_holds_wait()
    old = list(_old_alerts().order_by("pk").values_list("pk", flat=True)[:BATCH])
    AlertNotice.objects.filter(alert__in=old).delete()
    Alert.objects.filter(pk__in=old).delete()
    ended = list(_old_sessions().values_list("pk", flat=True)[:BATCH])
    Session.objects.filter(pk__in=ended).delete()
    return len(old) + len(ended)
