"""A run: KRA's list → suspicions → a look at each with KRA → cases and figures.

Every step commits before the next begins and finds its place in the rows, so a run that was cut
short anywhere (a crash, KRA silent, time up) goes on from there. A lease keeps a second worker out,
and each write checks that it is still ours. No transaction is open while KRA answers.
"""

import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from devices.calls import HostNotConfigured, device_of, storable
from devices.models import Device
from kra.codes import explain
from kra.errors import KRAError
from kra.records import ListedInvoice
from outbox.models import Lane, Stream
from sales.models import Difference, HeldDocument, Reconciliation, Stage

from .asking import NotNow, ask_list, ask_one
from .closing import finish
from .comparing import suspect
from .facts import facts_held, facts_listed, facts_of, ours_of, waiting_under, weigh

log = logging.getLogger(__name__)

BATCH = 2000
# So many numbers a run asks KRA about one by one; for the rest its list has to do.
MOST_LOOK_UPS = 1000
RETRY_AFTER = timedelta(minutes=15)


class LeaseLost(Exception):
    """Another process works on the run now; this one stops without a word."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run that this process holds."""

    pk: int
    owner: uuid.UUID

    @classmethod
    def take(cls, pk: int) -> "Work | None":
        owner = uuid.uuid4()
        free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
        mine = Reconciliation.objects.filter(free, pk=pk, finished_at=None)
        taken = mine.update(lease_owner=owner, lease_until=timezone.now() + lease_time())
        return cls(pk, owner) if taken else None

    def renew(self) -> None:
        """Raises LeaseLost."""
        mine = Reconciliation.objects.filter(pk=self.pk, lease_owner=self.owner, finished_at=None)
        if not mine.update(lease_until=timezone.now() + lease_time()):
            raise LeaseLost

    def locked(self) -> Reconciliation:
        """The run, locked in the caller's transaction. Raises LeaseLost."""
        runs = Reconciliation.objects.select_for_update(no_key=True)
        run = runs.filter(pk=self.pk, lease_owner=self.owner, finished_at=None).first()
        if run is None:
            raise LeaseLost
        return run

    def release(self) -> None:
        mine = Reconciliation.objects.filter(pk=self.pk, lease_owner=self.owner)
        mine.update(lease_owner=None, lease_until=None)


def lease_time() -> timedelta:
    """Longer than the longest call and what is written after it."""
    read = settings.KRA_READ_TIMEOUTS.get("sales_list", settings.KRA_READ_TIMEOUT)
    return timedelta(seconds=2 * (settings.KRA_CONNECT_TIMEOUT + read) + 60)


def start(device: Device, first_day: date, last_day: date, *, by: str) -> Reconciliation:
    """The unfinished run of this device and period, made when there is none."""
    period = {"device": device, "first_day": first_day, "last_day": last_day, "finished_at": None}
    run = Reconciliation.objects.filter(**period).first()
    if run is not None:
        return run
    try:
        with transaction.atomic():
            return Reconciliation.objects.create(
                **period,
                company_id=device.company_id,
                requested_by=by,
                not_before=timezone.now(),
                reason="It is under way.",
            )
    except IntegrityError:  # somebody else asked for the same at the same time
        return Reconciliation.objects.get(**period)


def advance(pk: int, *, until: float) -> None:
    """Work on a run until it is done, waits, or monotonic `until`. Safe to call at any time."""
    work = Work.take(pk)
    if work is None:
        return
    try:
        _work(work, until)
    except LeaseLost:
        log.warning("lease lost", extra={"reference": f"reconciliation {pk}"})
    except NotNow as exc:
        _pause(work, str(exc))
    except HostNotConfigured as exc:
        _pause(work, f"{exc.message} {exc.help}")
    except KRAError as exc:
        _pause(work, f"KRA could not be asked: {explain(exc.code, exc.message).cause}")
    finally:
        work.release()


def _work(work: Work, until: float) -> None:
    run = Reconciliation.objects.get(pk=work.pk)
    device = device_of(run.device_id)
    if run.stage == Stage.LISTING:
        _list(work, device, run.first_day)
    while (case := _next_suspicion(work.pk)) is not None:
        if time.monotonic() >= until:
            return
        look(work, device, case)
    with transaction.atomic(durable=True):
        finish(work.locked())


def _pause(work: Work, reason: str) -> None:
    mine = Reconciliation.objects.filter(pk=work.pk, lease_owner=work.owner, finished_at=None)
    mine.update(reason=storable(reason, 400), not_before=timezone.now() + RETRY_AFTER)
    log.warning("reconciliation waits", extra={"reference": f"reconciliation {work.pk}"})


def _list(work: Work, device: Device, first_day: date) -> None:
    work.renew()
    asked_at = timezone.now()
    rows = ask_list(device, first_day)
    lane = Lane.objects.filter(device=device, stream=Stream.FISCAL).first()
    with transaction.atomic(durable=True):
        run = work.locked()
        run.asked_at = asked_at
        run.unreadable = _keep(run, rows)
        run.stage, run.reason = Stage.LOOKING, "It is under way."
        run.save(update_fields=["asked_at", "unreadable", "stage", "reason"])
        suspect(run, lane.pk if lane else None)


def _keep(run: Reconciliation, rows: Iterable[ListedInvoice | None]) -> int:
    """Store KRA's list in batches; return how many rows could not be read."""
    unreadable = 0

    def readable() -> Iterator[HeldDocument]:
        nonlocal unreadable
        for row in rows:
            if row is None:
                unreadable += 1
            else:
                yield _held(run.pk, row)

    rest = readable()
    while batch := list(islice(rest, BATCH)):
        HeldDocument.objects.bulk_create(batch, ignore_conflicts=True)
    return unreadable


def _held(run_id: int, row: ListedInvoice) -> HeldDocument:
    facts = facts_listed(row)
    assert facts is not None
    return HeldDocument(
        run_id=run_id,
        number=row.number,
        kind=facts.kind,
        day=facts.day,
        total=facts.total,
        vat=facts.vat,
        signature=storable(facts.signature, 255),
        is_cancelled=facts.is_cancelled,
    )


def _next_suspicion(run_id: int) -> Difference | None:
    waiting = Difference.objects.filter(run=run_id, state=Difference.State.SUSPECTED, kind="")
    return waiting.order_by("number").first()


def look(work: Work, device: Device, case: Difference) -> None:
    """Ask KRA about one number, and make a case of it or drop it."""
    asked = Reconciliation.objects.filter(pk=work.pk, look_ups__lt=MOST_LOOK_UPS)
    found: ListedInvoice | None = None
    may_ask = asked.exists()
    if may_ask:
        work.renew()
        found = ask_one(device, case.number)
    with transaction.atomic(durable=True):
        run = work.locked()
        if may_ask:
            Reconciliation.objects.filter(pk=run.pk).update(look_ups=F("look_ups") + 1)
            case.looked_at = timezone.now()
            _correct(run, case.number, found)
        settle_suspicion(run, case)


def _correct(run: Reconciliation, number: int, found: ListedInvoice | None) -> None:
    """What KRA says of a single number outweighs its list."""
    HeldDocument.objects.filter(run=run, number=number).delete()
    if found is not None:
        _held(run.pk, found).save(force_insert=True)


def settle_suspicion(run: Reconciliation, case: Difference) -> None:
    held = HeldDocument.objects.filter(run=run, number=case.number).first()
    invoice = ours_of(run.device_id, case.number)
    ours, theirs = facts_of(invoice), facts_held(held)
    verdict = weigh(case.number, ours, theirs)
    if verdict is None:
        case.delete()
        return
    case.kind, case.detail = verdict
    case.invoice = invoice or waiting_under(run.device_id, case.number)
    if ours is not None:
        case.our_kind, case.our_total, case.our_vat = ours.kind, ours.total, ours.vat
    if theirs is not None:
        case.kra_kind, case.kra_total, case.kra_vat = theirs.kind, theirs.total, theirs.vat
        case.last_number = None
    if case.last_number is not None:
        case.detail = f"Neither side has the numbers {case.number} to {case.last_number}."
    case.save()
