"""Goods that customs declared for us, and what we told KRA about them."""

from typing import Any

from django.db import models
from django.db.models import Q

from companies.models import Branch, Company, TenantQuerySet
from outbox.models import Transmission

from .catalogue import Item
from .stock import StockMovement


class ImportCursor(models.Model):
    """How far one branch knows KRA's import list, and how the last question went."""

    branch = models.OneToOneField(Branch, on_delete=models.PROTECT, related_name="import_cursor")
    # KRA's clock, not ours (rule D4): the next request asks for what changed after it.
    last_result_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=30, blank=True)
    error_message = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.branch_id}: {self.last_result_at}"


class ImportLineQuerySet(TenantQuerySet["ImportLine"]):
    def undecided(self) -> "ImportLineQuerySet":
        return self.filter(state__in=UNDECIDED)


class ImportLine(models.Model):
    """One line of a customs declaration, unique by KRA's task code, date and sequence.

    offered → queued → approved | rejected | refused (KRA did not take our decision); refused →
    queued when a person decides again. decided_elsewhere: KRA lists it as approved or cancelled
    and it was not us; offered again when KRA lists it as waiting again.
    """

    class State(models.TextChoices):
        OFFERED = "offered"
        QUEUED = "queued"
        APPROVED = "approved"
        REJECTED = "rejected"
        REFUSED = "refused"
        ELSEWHERE = "decided_elsewhere"

    class Decision(models.TextChoices):
        NONE = "", "none"
        APPROVE = "approve"
        REJECT = "reject"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="import_lines")
    # The branch that KRA listed it to first: it decides, and its stock grows.
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="import_lines")
    # These four are echoed to KRA letter by letter; the date comes in more than one order.
    task_code = models.CharField(max_length=50)
    declared_on = models.CharField(max_length=8)
    sequence = models.BigIntegerField()
    hs_code = models.CharField(max_length=17)
    declaration_number = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=500, blank=True)
    # KRA's table 26 as last listed: 1 unsent, 2 waiting, 3 approved, 4 cancelled.
    status_code = models.CharField(max_length=5, blank=True)
    origin_country = models.CharField(max_length=5, blank=True)
    export_country = models.CharField(max_length=5, blank=True)
    packages = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    package_unit = models.CharField(max_length=5, blank=True)
    quantity = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    quantity_unit = models.CharField(max_length=5, blank=True)
    gross_weight = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    net_weight = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    supplier_name = models.CharField(max_length=500, blank=True)
    agent_name = models.CharField(max_length=500, blank=True)
    amount = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=5, blank=True)
    exchange_rate = models.DecimalField(max_digits=22, decimal_places=4, null=True, blank=True)
    # Chosen by a person, never by us.
    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, null=True, blank=True, related_name="import_lines"
    )
    state = models.CharField(max_length=17, choices=State.choices, default=State.OFFERED)
    decision = models.CharField(max_length=7, choices=Decision.choices, blank=True, default="")
    remark = models.CharField(max_length=400, blank=True)
    # What an approval books, in the item's own unit, tax included.
    stock_quantity = models.DecimalField(max_digits=13, decimal_places=2, null=True, blank=True)
    stock_price = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    transmission = models.OneToOneField(
        Transmission, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    movement = models.OneToOneField(
        StockMovement, on_delete=models.PROTECT, null=True, blank=True, related_name="import_line"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ImportLineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "task_code", "declared_on", "sequence"], name="import_line_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("offered", "queued", "approved", "rejected", "refused"),
                        "decided_elsewhere",
                    ]
                ),
                name="import_line_state",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["offered", "decided_elsewhere"])
                | (Q(transmission__isnull=False) & Q(item__isnull=False) & ~Q(decision="")),
                name="import_line_sent_is_decided",
            ),
            models.CheckConstraint(
                condition=~Q(decision="approve")
                | (Q(stock_quantity__gt=0) & Q(stock_price__gte=0)),
                name="import_line_approval_has_stock",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="import_line_company"),
            models.Index(fields=["company", "updated_at"], name="import_line_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.task_code}/{self.sequence} {self.state}"

    @property
    def key(self) -> tuple[Any, ...]:
        """What KRA knows the line by."""
        return (self.task_code, self.declared_on, self.sequence)


# A person may decide on these.
UNDECIDED = [ImportLine.State.OFFERED.value, ImportLine.State.REFUSED.value]


class ImportMatch(models.Model):
    """Which own item a person chose for goods of this HS code, supplier and name."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="import_matches")
    # SHA-256 of the three: their texts are longer than an index takes.
    digest = models.CharField(max_length=64)
    hs_code = models.CharField(max_length=17)
    supplier_name = models.CharField(max_length=500, blank=True)
    name = models.CharField(max_length=500, blank=True)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="import_matches")
    times = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "import matches"
        constraints = [
            models.UniqueConstraint(fields=["company", "digest"], name="import_match_once"),
        ]
        indexes = [models.Index(fields=["company", "hs_code"], name="import_match_hs")]

    def __str__(self) -> str:
        return f"{self.hs_code} {self.name[:40]} → {self.item_id}"
