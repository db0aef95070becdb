"""OSCU devices, their keys, and the record of every exchange with KRA."""

from django.db import models
from django.db.models import Q

from companies.models import Branch, Company, TenantQuerySet
from core.crypto import EncryptedTextField


class DeviceQuerySet(TenantQuerySet["Device"]):
    device_path = "pk"


class Device(models.Model):
    """One control unit: the triple of PIN, branch and serial that KRA approved (rule A1).

    registered → initialising → active ⇄ suspended. `refused` is KRA's word (901, 902, 903 on a
    running device): nothing is sent until a person has looked. `restored`: the database came from a
    copy; nothing is sent until KRA has confirmed the counter, then it is `state_before` again.
    """

    class State(models.TextChoices):
        REGISTERED = "registered"
        INITIALISING = "initialising"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        REFUSED = "refused"
        RESTORED = "restored"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="devices")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="devices")
    serial = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=State.choices, default=State.REGISTERED)
    state_before = models.CharField(max_length=12, blank=True, default="", db_default="")
    state_reason = models.CharField(max_length=300, blank=True)
    # The one secret KRA gives out once (rule A2), and the whole answer it came in.
    key = EncryptedTextField(blank=True, default="")
    init_answer = EncryptedTextField(blank=True, default="")
    scu_id = models.CharField(max_length=18, blank=True)
    machine_number = models.CharField(max_length=11, blank=True)
    kra_device_id = models.CharField(max_length=20, blank=True)
    initialising_since = models.DateTimeField(null=True, blank=True)
    initialised_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "serial"], name="device_serial_once"),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "registered",
                        "initialising",
                        "active",
                        "suspended",
                        "refused",
                        "restored",
                    ]
                ),
                name="device_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | ~Q(key=""), name="device_active_has_key"
            ),
        ]

    def __str__(self) -> str:
        return self.serial


# A device that KRA refused still sells: its sales wait for a person like in an outage.
# So does a restored one: what tills send again is compared with KRA before anything is sent.
SELLING = (
    Device.State.ACTIVE.value,
    Device.State.REFUSED.value,
    Device.State.RESTORED.value,
)


class SigningKey(models.Model):
    """One version of the key pair with which we sign our own evidence. Retired, never deleted."""

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="signing_keys")
    version = models.PositiveIntegerField()
    public_key = models.CharField(max_length=64)
    private_key = EncryptedTextField()
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "version"], name="signing_key_version"),
            models.UniqueConstraint(
                fields=["device"], condition=Q(retired_at=None), name="signing_key_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device} v{self.version}"


class CallQuerySet(TenantQuerySet["Call"]):
    device_path = "device_id"


class Call(models.Model):
    """One HTTP exchange with KRA: inserted before the call, completed once after it.

    An `outcome` of "" means that no answer was ever recorded: the process died, or still waits.
    """

    class Outcome(models.TextChoices):
        OPEN = ""
        ACCEPTED = "accepted"
        EMPTY = "empty"
        REJECTED = "rejected"
        UNKNOWN = "unknown"
        UNAVAILABLE = "unavailable"
        DEVICE_REFUSED = "device_refused"
        UNREADABLE = "unreadable"

    # Found by the composite indexes below.
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="calls", db_index=False
    )
    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, related_name="calls", db_index=False
    )
    endpoint = models.CharField(max_length=30)
    # The row of the outbox this call was made for; that app stands above this one.
    transmission = models.BigIntegerField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    reference = models.CharField(max_length=60, blank=True)
    number = models.BigIntegerField(null=True, blank=True)
    request = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    elapsed_ms = models.PositiveIntegerField(null=True, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)
    outcome = models.CharField(max_length=14, choices=Outcome.choices, blank=True)
    code = models.CharField(max_length=30, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # When both bodies were emptied by age; their hashes are in the journal.
    pruned_at = models.DateTimeField(null=True, blank=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["company", "-id"], name="call_company"),
            models.Index(fields=["device", "-id"], name="call_device"),
            models.Index(
                fields=["transmission", "-id"],
                name="call_transmission",
                condition=Q(transmission__isnull=False),
            ),
            models.Index(fields=["started_at"], name="call_started"),
            # Latency percentiles of the dashboard.
            models.Index(
                fields=["device", "started_at"],
                include=["elapsed_ms"],
                name="call_latency",
                condition=Q(endpoint="sales_save"),
            ),
            models.Index(
                fields=["company", "reference"],
                name="call_reference",
                condition=~Q(reference=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.code or self.outcome or 'open'}"
