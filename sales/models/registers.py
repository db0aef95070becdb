"""What a branch keeps registered at KRA: its customers, its users, its insurers; and what KRA
said of a buyer's PIN.
"""

from typing import Any

from django.db import models
from django.db.models import F, Q

from companies.models import PIN_PATTERN, Branch, Company, Environment, TenantQuerySet
from core.crypto import EncryptedTextField
from devices.models import Device
from outbox.models import OPEN, Status, Transmission


class BranchRecordQuerySet(TenantQuerySet[Any]):
    # A token of one device sees what its branch keeps.
    device_path = "branch__devices"

    def whole(self) -> "BranchRecordQuerySet":
        """With what an answer shows, without the bytes of the debt."""
        rows = self.select_related("branch", "device", "transmission")
        return rows.defer(
            "transmission__body", "transmission__content", "device__key", "device__init_answer"
        )

    def in_state(self, state: str) -> "BranchRecordQuerySet":
        refused = Q(transmission__status=Status.REFUSED)
        owed = Q(transmission__status__in=OPEN)
        conditions = {"refused": refused, "queued": owed, "registered": ~(refused | owed)}
        return self.filter(conditions[state]) if state in conditions else self.none()


class BranchRecord(models.Model):
    """One record of a branch, under the company's own key. Never deleted: KRA knows no deletion,
    only `is_active`.

    `transmission` is the latest debt to KRA and `device` the one that owes it. A change of a record
    whose message is under way is owed as a new message behind it, in the same lane.
    """

    # The field that is the company's own key of the record, unique in its branch.
    KEY = ""
    # The kind of its messages in settings.OUTBOX_KINDS.
    KIND = ""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    is_active = models.BooleanField(default=True)
    transmission = models.ForeignKey(Transmission, on_delete=models.PROTECT, related_name="+")
    # Since when KRA has it; a later change keeps it.
    registered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = BranchRecordQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def key(self) -> str:
        return str(getattr(self, self.KEY))

    @property
    def state(self) -> str:
        """queued, registered or refused: what became of the latest debt to KRA."""
        status = self.transmission.status
        if status == Status.REFUSED:
            return "refused"
        return "queued" if status in OPEN else "registered"


class Customer(BranchRecord):
    """One buyer whom a branch knows, under the branch's own number."""

    KEY, KIND = "number", "customer"

    number = models.CharField(max_length=9)
    pin = models.CharField(max_length=11)
    name = models.CharField(max_length=60)
    address = models.CharField(max_length=300, blank=True)
    phone = models.CharField(max_length=20, blank=True)
    email = models.CharField(max_length=50, blank=True)
    fax = models.CharField(max_length=20, blank=True)
    remark = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["branch", "number"], name="customer_number_once"),
            models.CheckConstraint(condition=Q(pin__regex=PIN_PATTERN), name="customer_pin_form"),
            models.CheckConstraint(condition=~Q(number="") & ~Q(name=""), name="customer_is_named"),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="customer_company"),
            # A sale that gives a PIN without a name (sales/statements.py).
            models.Index("company", "pin", F("updated_at").desc(), name="customer_pin"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class BranchUser(BranchRecord):
    """One person whom KRA knows as a user of a branch. Opens nothing here: that is a Member."""

    KEY, KIND = "user_id", "branch_user"

    user_id = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    # KRA's message has a field for it and never asks for it again.
    password = EncryptedTextField()
    address = models.CharField(max_length=200, blank=True)
    contact = models.CharField(max_length=20, blank=True)
    authority = models.CharField(max_length=100, blank=True)
    remark = models.CharField(max_length=2000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["branch", "user_id"], name="branch_user_once"),
            models.CheckConstraint(
                condition=~Q(user_id="") & ~Q(name=""), name="branch_user_is_named"
            ),
        ]
        indexes = [models.Index(fields=["company", "-id"], name="branch_user_company")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.name}"


class Insurance(BranchRecord):
    """One insurer of a branch, and the share in percent that it pays."""

    KEY, KIND = "code", "insurance"

    code = models.CharField(max_length=10)
    name = models.CharField(max_length=100)
    rate = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["branch", "code"], name="insurance_code_once"),
            models.CheckConstraint(condition=Q(rate__lte=100), name="insurance_rate_percent"),
            models.CheckConstraint(condition=~Q(code="") & ~Q(name=""), name="insurance_is_named"),
        ]
        indexes = [models.Index(fields=["company", "-id"], name="insurance_company")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class PinRecord(models.Model):
    """What KRA last said of one PIN; without a name: that it knows no such PIN. Its register of
    taxpayers is the same for whoever asks, so all companies of an environment share the copy.
    """

    environment = models.CharField(max_length=10, choices=Environment.choices)
    pin = models.CharField(max_length=11)
    name = models.CharField(max_length=200)
    status_code = models.CharField(max_length=5, blank=True)
    address = models.CharField(max_length=500, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "pin"], name="pin_record_once"),
            models.CheckConstraint(condition=Q(pin__regex=PIN_PATTERN), name="pin_record_form"),
        ]

    def __str__(self) -> str:
        return f"{self.pin} {self.name}"
