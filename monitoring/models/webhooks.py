"""What happened that a point of sale wants to know, who is told, and whether they were."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from companies.models import Company, TenantQuerySet
from core.crypto import EncryptedTextField
from devices.models import Device
from sales.models import Invoice


class EventKind(models.TextChoices):
    SALE_SIGNED = "sale.signed"
    SALE_REFUSED = "sale.refused"
    SALE_CONFLICT = "sale.conflict"
    NOTE_SIGNED = "credit_note.signed"
    NOTE_REFUSED = "credit_note.refused"
    NOTE_CONFLICT = "credit_note.conflict"
    DEVICE_STATE = "device.state"


class EventQuerySet(TenantQuerySet["Event"]):
    device_path = "device_id"


class Event(models.Model):
    """One change of state, recorded in the transaction that made it.

    `recorded_in` is that transaction's id. Ids of rows are taken in another order than their
    transactions commit; a reader who stops before the oldest transaction that still runs can never
    step over a row that shows up later (webhooks/feed.py).
    """

    key = models.UUIDField(unique=True, default=uuid.uuid4)
    # Found by `event_feed`.
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=24, choices=EventKind.choices)
    # No constraint: an event is kept for weeks, and must not be in the way of its invoice.
    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    facts = models.JSONField(default=dict)
    recorded_in = models.BigIntegerField()
    created_at = models.DateTimeField()

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=EventKind.values), name="event_kind"),
        ]
        indexes = [
            models.Index(fields=["company", "recorded_in", "id"], name="event_feed"),
            models.Index(fields=["created_at"], name="event_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class EndpointQuerySet(TenantQuerySet["Endpoint"]):
    device_path = "device_id"

    def kept(self) -> "EndpointQuerySet":
        return self.exclude(state=Endpoint.State.DELETED)


class Endpoint(models.Model):
    """One address that a company wants to be told at.

    active ⇄ disabled (by a person, by 410, or after days of failures); deleted is final. The row
    stays: a sale that is being recorded may be about to refer to it.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        DISABLED = "disabled"
        DELETED = "deleted"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="webhooks")
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="webhooks"
    )
    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=24, choices=EventKind.choices))
    description = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=300, blank=True)
    secret = EncryptedTextField()
    # After a rotation both sign until then, so that the receiver can change over.
    previous_secret = EncryptedTextField(blank=True, default="")
    previous_until = models.DateTimeField(null=True, blank=True)
    # A silent receiver is asked ever more rarely, however much is waiting for it.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    resume_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "disabled", "deleted"]), name="endpoint_state"
            ),
        ]
        indexes = [
            models.Index(fields=["company"], name="endpoint_active", condition=Q(state="active")),
        ]

    def __str__(self) -> str:
        return self.url


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    company_path = "endpoint__company_id"
    device_path = "endpoint__device_id"


class Delivery(models.Model):
    """One event on its way to one endpoint.

    pending → delivered | failed; replay → pending. `attempts` is the fence: whoever records an
    answer must hold the count with which the row was claimed. A claim moves `next_attempt_at`
    behind the longest possible exchange, so that a dead worker's row comes back by itself.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    # Since when it is owed: the day of the event, or of its replay.
    due_since = models.DateTimeField()
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_answer = models.CharField(max_length=500, blank=True, db_default="")
    last_error = models.CharField(max_length=300, blank=True, db_default="")
    elapsed_ms = models.PositiveIntegerField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "failed"]), name="delivery_state"
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="delivery_due",
                condition=Q(state="pending"),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id} {self.state}"


class Feed(models.Model):
    """One row: what a reader's place in the feed is measured by, and who sends now.

    Transaction ids begin anew in another PostgreSQL cluster; `era` counts those moves, and a place
    of an earlier era is answered with 410 instead of with silence.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    era = models.PositiveIntegerField(default=1)
    # Events up to this transaction may have been pruned.
    pruned_to = models.BigIntegerField(default=-1)
    sender_until = models.DateTimeField(null=True, blank=True)
    sender = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="feed_one_row")]

    def __str__(self) -> str:
        return f"era {self.era}"
