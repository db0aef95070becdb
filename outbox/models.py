"""What we owe KRA. The row is the truth; Celery and Redis only ring."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from companies.models import TenantQuerySet
from devices.models import Device


class Stream(models.TextChoices):
    """The numbered streams of a device. Sales never wait for stock."""

    FISCAL = "fiscal"
    STOCK = "stock"
    PURCHASE = "purchase"
    DATA = "data"


class Status(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CANCELLED = "cancelled"


IN_FLIGHT = [Status.SENDING.value, Status.UNKNOWN.value, Status.CONFLICT.value]
OPEN = [Status.QUEUED.value, *IN_FLIGHT]
NUMBER_FREE = [Status.REFUSED.value, Status.CANCELLED.value]


class LaneQuerySet(TenantQuerySet["Lane"]):
    company_path = "device__company_id"
    device_path = "device_id"


class Lane(models.Model):
    """One numbered stream of one device: one message in flight, in order.

    `last_number` is the last number KRA accepted; it moves only in the transaction that records
    the acceptance (rules N1, N3). The lease says which worker drains the lane now.
    """

    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, related_name="lanes", db_index=False
    )
    stream = models.CharField(max_length=8, choices=Stream.choices)
    last_number = models.BigIntegerField(default=0)
    lease_owner = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # After an outage lanes start again one after the other, not all at once.
    resume_at = models.DateTimeField(null=True, blank=True)

    objects = LaneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "stream"], name="lane_once"),
            models.CheckConstraint(condition=Q(last_number__gte=0), name="lane_number_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}/{self.stream}"


class TransmissionQuerySet(TenantQuerySet["Transmission"]):
    company_path = "lane__device__company_id"
    device_path = "lane__device_id"

    def open(self) -> "TransmissionQuerySet":
        return self.filter(status__in=OPEN)

    def in_order(self) -> "TransmissionQuerySet":
        """A message that holds a number goes before those that hold none."""
        return self.order_by(F("number").asc(nulls_last=True), "id")


class Transmission(models.Model):
    """One message owed to KRA.

    queued → sending → accepted | refused | unknown; unknown → accepted | conflict | queued (KRA has
    it not: the same bytes go again). accepted, refused and cancelled are final. `attempts` is the
    fence: whoever changes the row must hold the count it was claimed with.
    """

    # Found by `transmission_finished`, which begins with it.
    lane = models.ForeignKey(
        Lane, on_delete=models.PROTECT, related_name="transmissions", db_index=False
    )
    kind = models.CharField(max_length=20)
    reference = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    # What the message says, frozen when it was accepted; None where it is built at the claim.
    content = models.BinaryField(null=True)
    # The bytes as sent, with their number: frozen at the first claim, resent unchanged.
    number = models.BigIntegerField(null=True, blank=True)
    body = models.BinaryField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=30, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    expected_number = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TransmissionQuerySet.as_manager()
    # PostgreSQL's version of the row as a claim found it (statements.py); no column.
    seen = ""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lane"],
                condition=Q(status__in=IN_FLIGHT),
                name="transmission_one_in_flight",
            ),
            models.UniqueConstraint(
                fields=["lane", "kind", "number"],
                condition=Q(number__isnull=False) & ~Q(status__in=NUMBER_FREE),
                name="transmission_number_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="transmission_status"
            ),
            models.CheckConstraint(
                condition=Q(body__isnull=False) | ~Q(status__in=[*IN_FLIGHT, Status.ACCEPTED]),
                name="transmission_sent_is_frozen",
            ),
        ]
        indexes = [
            models.Index(
                "lane", F("number").asc(nulls_last=True), "id",
                name="transmission_head", condition=Q(status__in=OPEN),
            ),
            models.Index(
                fields=["lane", "status", "finished_at"],
                include=["created_at"],
                name="transmission_finished",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.reference} {self.status}"

    @property
    def is_settled(self) -> bool:
        return self.status not in OPEN


class Breaker(models.Model):
    """Whether one of KRA's hosts answers at all. Open: nothing is sent but a harmless probe."""

    host = models.CharField(max_length=30, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    is_open = models.BooleanField(default=False)
    opened_at = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.host} {'open' if self.is_open else 'closed'}"


def host_of(device: Device) -> str:
    """The breaker's key of the host that a device talks to."""
    company: Any = device.company
    return f"{company.environment}/{company.profile}"
