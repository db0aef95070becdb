"""Goods that moved, as KRA must be told. A level is the sum of movements (levels.py)."""

from typing import Any

from django.db import models
from django.db.models import Case, DecimalField, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from companies.models import Branch, Company, TenantQuerySet
from core.money import ZERO
from devices.models import Device
from outbox.models import Transmission

from .catalogue import Item


class MovementType(models.TextChoices):
    """KRA's table 12. Below 10 goods come in, from 11 on they go out."""

    IMPORT = "01", "import"
    PURCHASE = "02", "purchase"
    RETURN_IN = "03", "return from customer"
    TRANSFER_IN = "04", "transfer in"
    PROCESSING_IN = "05", "processing in"
    ADJUSTMENT_IN = "06", "adjustment in"
    SALE = "11", "sale"
    RETURN_OUT = "12", "return to supplier"
    TRANSFER_OUT = "13", "transfer out"
    PROCESSING_OUT = "14", "processing out"
    WASTE = "15", "waste"
    ADJUSTMENT_OUT = "16", "adjustment out"


class StockMovementQuerySet(TenantQuerySet["StockMovement"]):
    device_path = "device_id"

    def waiting_for(self, item: Item) -> "StockMovementQuerySet":
        """Movements that wait for KRA to know an item; an arrival waits for its departure alone."""
        waiting = StockMovement.State.WAITING
        return self.filter(
            departure=None,
            pk__in=StockMovementLine.objects.filter(item=item, movement__state=waiting).values(
                "movement"
            ),
        )


class StockMovement(models.Model):
    """One movement of goods in or out of a branch.

    waiting (KRA does not know all its items yet) → queued → accepted | refused; refused → queued
    when a person sends it again. The arrival of a transfer waits until KRA has accepted the
    departure, and is refused with it.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        QUEUED = "queued"
        ACCEPTED = "accepted"
        REFUSED = "refused"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="stock_movements")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="stock_movements")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="stock_movements")
    type = models.CharField(max_length=2, choices=MovementType.choices)
    reference = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()
    customer_pin = models.CharField(max_length=11, blank=True)
    customer_name = models.CharField(max_length=100, blank=True)
    remark = models.CharField(max_length=400, blank=True)
    # Of a transfer: the branch on the other side, and on the arrival the movement it came by.
    counterpart = models.ForeignKey(
        Branch, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    departure = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="arrival"
    )
    transmission = models.OneToOneField(
        Transmission, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StockMovementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["branch", "type", "reference"], name="movement_reference_once"
            ),
            models.CheckConstraint(condition=Q(type__in=MovementType.values), name="movement_type"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "queued", "accepted", "refused"]),
                name="movement_state",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting")
                | Q(transmission__isnull=False)
                | Q(state="refused", departure__isnull=False),
                name="movement_sent_has_transmission",
            ),
        ]
        indexes = [models.Index(fields=["company", "-id"], name="movement_company")]

    def __str__(self) -> str:
        return f"{self.type} {self.reference}"

    @property
    def is_incoming(self) -> bool:
        return self.type < "10"


SIGNED = Case(When(movement__type__lt="10", then=F("quantity")), default=-F("quantity"))
OURS = ~Q(movement__state=StockMovement.State.REFUSED)
AT_KRA = Q(movement__state=StockMovement.State.ACCEPTED)


def _sum(which: Q) -> Any:
    nothing = Value(ZERO, output_field=DecimalField(max_digits=18, decimal_places=2))
    return Coalesce(Sum(SIGNED, filter=which), nothing)


class StockMovementLineQuerySet(models.QuerySet["StockMovementLine"]):
    def sums(self) -> Any:
        """Per branch and item, from the movements: what StockLevel must hold."""
        rows = self.values("movement__branch", "item").order_by("movement__branch", "item")
        return rows.annotate(level=_sum(OURS), kra_level=_sum(AT_KRA))


class StockMovementLine(models.Model):
    """One item of a movement. The quantity is positive; the movement's type is its sign."""

    movement = models.ForeignKey(StockMovement, on_delete=models.CASCADE, related_name="lines")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="stock_lines")
    sequence = models.PositiveSmallIntegerField()
    quantity = models.DecimalField(max_digits=13, decimal_places=2)
    # Includes the tax.
    unit_price = models.DecimalField(max_digits=18, decimal_places=2)

    objects = StockMovementLineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["movement", "sequence"], name="movement_line_once"),
            models.UniqueConstraint(fields=["movement", "item"], name="movement_item_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) & Q(unit_price__gte=0), name="movement_line_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.movement_id}/{self.sequence}"
