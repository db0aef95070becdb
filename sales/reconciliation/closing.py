"""The end of a run: its cases become open, its figures count, and earlier runs step back."""

import logging

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from devices.models import Device
from sales.models import Difference, ReconciledDay, Reconciliation, Stage, Verdict

from .comparing import figures_by_day

log = logging.getLogger(__name__)

EQUAL = (
    Q(our_sales=F("kra_sales"))
    & Q(our_credit_notes=F("kra_credit_notes"))
    & Q(our_total=F("kra_total"))
    & Q(our_vat=F("kra_vat"))
)


def finish(run: Reconciliation) -> None:
    """Runs in a transaction that holds the run's row."""
    # Runs of overlapping periods end one after the other: one of them is the latest of each day.
    Device.objects.select_for_update(no_key=True).only("pk").get(pk=run.device_id)
    _supersede(run)
    ReconciledDay.objects.bulk_create(figures_by_day(run))
    _explain_as_before(run)
    run.differences.filter(state=Difference.State.SUSPECTED).update(state=Difference.State.OPEN)
    run.held.all().delete()
    run.stage, run.finished_at = Stage.DONE, timezone.now()
    run.verdict, run.reason = verdict_of(run)
    run.save(update_fields=["stage", "finished_at", "verdict", "reason"])
    log.info("reconciled", extra={"reference": str(run), "outcome": run.verdict})


def _supersede(run: Reconciliation) -> None:
    """One open case per number: the newest run tells what is the matter now."""
    period = {"device_id": run.device_id, "day__range": (run.first_day, run.last_day)}
    ReconciledDay.objects.filter(**period, is_latest=True).update(is_latest=False)
    Difference.objects.filter(**period).open().exclude(run=run).update(
        state=Difference.State.RESOLVED,
        how=Difference.How.SUPERSEDED,
        reason=f"Compared again by run {run.pk}.",
        resolved_by=run.requested_by,
        resolved_at=timezone.now(),
    )


def _explain_as_before(run: Reconciliation) -> None:
    """What a person explained stays explained, as long as it is the very same difference."""
    same = {name: OuterRef(name) for name in ("device_id", "number", "kind", "detail")}
    earlier = Difference.objects.filter(how=Difference.How.EXPLAINED, **same).order_by("-id")
    known = run.differences.filter(Exists(earlier), state=Difference.State.SUSPECTED)
    known.update(
        state=Difference.State.RESOLVED,
        how=Difference.How.EXPLAINED,
        reason=Subquery(earlier.values("reason")[:1]),
        resolved_by=Subquery(earlier.values("resolved_by")[:1]),
        resolved_at=Subquery(earlier.values("resolved_at")[:1]),
    )


def verdict_of(run: Reconciliation) -> tuple[str, str]:
    """What the cases and the figures of a finished run say, as they are now."""
    if run.unreadable:
        text = f"{run.unreadable} rows of KRA's list cannot be read."
        return Verdict.INCOMPLETE, f"{text} Ask KRA, then reconcile again."
    unsettled = Q(state=Difference.State.OPEN) | Q(how=Difference.How.EXPLAINED)
    if run.differences.filter(unsettled).exists():
        return Verdict.DIFFERS, ""
    if run.days.exclude(EQUAL).exists():
        return Verdict.DIFFERS, "The figures differ, though no single number does. Reconcile again."
    return Verdict.MATCHES, ""
