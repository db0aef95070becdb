"""Our books beside KRA's: runs, the figures of each day, and the cases that came out of them."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q

from companies.models import Company, TenantQuerySet
from devices.models import Device

from .invoices import Invoice, Kind, money


class Verdict(models.TextChoices):
    MATCHES = "matches"
    DIFFERS = "differs"
    INCOMPLETE = "incomplete"


class Stage(models.TextChoices):
    """How far a run has come; it goes on from there after any interruption."""

    LISTING = "listing"
    LOOKING = "looking"
    DONE = "done"


class ReconciliationQuerySet(TenantQuerySet["Reconciliation"]):
    device_path = "device_id"


class Reconciliation(models.Model):
    """One comparison of one device's books with KRA's, over days of sale in Nairobi.

    listing → looking → done. Until it is done its verdict is `incomplete`, and `reason` says why.
    The lease says which process works on it; a dead one's run is taken over when it has ended.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="reconciliations")
    first_day = models.DateField()
    last_day = models.DateField()
    stage = models.CharField(max_length=7, choices=Stage.choices, default=Stage.LISTING)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, default=Verdict.INCOMPLETE)
    reason = models.CharField(max_length=400, blank=True)
    requested_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(auto_now_add=True)
    # Just before KRA's list was asked for: what we signed later is no part of the comparison.
    asked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField()
    unreadable = models.PositiveIntegerField(default=0)
    look_ups = models.PositiveIntegerField(default=0)
    lease_owner = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    objects = ReconciliationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device", "first_day", "last_day"],
                condition=Q(finished_at=None),
                name="reconciliation_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day"))
                & Q(last_day__lte=F("first_day") + timedelta(days=30)),
                name="reconciliation_period",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=Stage.values), name="reconciliation_stage"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values), name="reconciliation_verdict"
            ),
            models.CheckConstraint(
                condition=Q(stage="done", finished_at__isnull=False)
                | (~Q(stage="done") & Q(finished_at=None, verdict="incomplete")),
                name="reconciliation_done_is_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="reconciliation_company"),
            models.Index(
                fields=["not_before"],
                condition=Q(finished_at=None),
                name="reconciliation_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.first_day} to {self.last_day}"


class ReconciledDayQuerySet(TenantQuerySet["ReconciledDay"]):
    device_path = "device_id"


class ReconciledDay(models.Model):
    """The figures of one day of one finished run: our side and KRA's. Totals and VAT are sales
    minus credit notes. `is_latest`: no later run has compared this day.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="days")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    is_latest = models.BooleanField(default=True)
    our_sales = models.IntegerField(default=0)
    our_credit_notes = models.IntegerField(default=0)
    our_total = money(default=0)
    our_vat = money(default=0)
    kra_sales = models.IntegerField(default=0)
    kra_credit_notes = models.IntegerField(default=0)
    kra_total = money(default=0)
    kra_vat = money(default=0)

    objects = ReconciledDayQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "day"], name="reconciled_day_once"),
            models.UniqueConstraint(
                fields=["device", "day"],
                condition=Q(is_latest=True),
                name="reconciled_day_one_latest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.day}"


class HeldDocumentQuerySet(TenantQuerySet["HeldDocument"]):
    company_path = "run__company_id"
    device_path = "run__device_id"


class HeldDocument(models.Model):
    """One row of KRA's list, kept while its run compares; gone when the run is done."""

    run = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="held")
    number = models.BigIntegerField()
    kind = models.CharField(max_length=11, choices=Kind.choices)
    day = models.DateField()
    total = money()
    vat = money()
    signature = models.CharField(max_length=255)
    is_cancelled = models.BooleanField(default=False)

    objects = HeldDocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="held_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"


class DifferenceQuerySet(TenantQuerySet["Difference"]):
    device_path = "device_id"

    def open(self) -> "DifferenceQuerySet":
        return self.filter(state=Difference.State.OPEN)

    def shown(self) -> "DifferenceQuerySet":
        """Without the suspicions of a run that is still looking."""
        return self.exclude(state=Difference.State.SUSPECTED)


class Difference(models.Model):
    """One number about which our books and KRA's disagree (or, for a gap, up to `last_number`).

    suspected → open → resolved. It is suspected until KRA was asked about that single number.
    """

    class Kind(models.TextChoices):
        MISSING_AT_KRA = "missing_at_kra"
        MISSING_HERE = "missing_here"
        TYPE_DIFFERS = "type_differs"
        AMOUNT_DIFFERS = "amount_differs"
        VAT_DIFFERS = "vat_differs"
        SIGNED_OTHERWISE = "signed_otherwise"
        NUMBER_GAP = "number_gap"

    class State(models.TextChoices):
        SUSPECTED = "suspected"
        OPEN = "open"
        RESOLVED = "resolved"

    class How(models.TextChoices):
        LOOKED_AGAIN = "looked_again"
        ADOPTED = "adopted"
        EXPLAINED = "explained"
        SUPERSEDED = "superseded"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="differences")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    number = models.BigIntegerField()
    last_number = models.BigIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices, blank=True)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    our_kind = models.CharField(max_length=11, blank=True)
    our_total = money(null=True, blank=True)
    our_vat = money(null=True, blank=True)
    kra_kind = models.CharField(max_length=11, blank=True)
    kra_total = money(null=True, blank=True)
    kra_vat = money(null=True, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    # When KRA was last asked about this number; None: only its list was read.
    looked_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.SUSPECTED)
    how = models.CharField(max_length=12, choices=How.choices, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    resolved_by = models.CharField(max_length=150, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DifferenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="difference_number_once"),
            models.CheckConstraint(
                condition=Q(state__in=["suspected", "open", "resolved"]), name="difference_state"
            ),
            models.CheckConstraint(
                condition=Q(state="suspected") | ~Q(kind=""), name="difference_has_kind"
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False) & ~Q(how="")
                | ~Q(state="resolved") & Q(how="", resolved_at=None),
                name="difference_resolved_how",
            ),
            models.CheckConstraint(
                condition=~Q(how="explained") | ~Q(reason=""), name="difference_explained_why"
            ),
        ]
        indexes = [
            models.Index(
                fields=["device", "day"], condition=Q(state="open"), name="difference_open"
            ),
            models.Index(
                fields=["device", "number"],
                condition=Q(how="explained"),
                name="difference_explained",
            ),
        ]

    def __str__(self) -> str:
        return f"number {self.number}: {self.kind.replace('_', ' ') or 'suspected'}"

    def figures(self, side: str) -> tuple[str, Any, Any]:
        """What one side (our, kra) says: type, total, VAT."""
        return tuple(getattr(self, f"{side}_{name}") for name in ("kind", "total", "vat"))
