"""Receipts that are owed to buyers by e-mail."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from companies.models import Company, TenantQuerySet

from .invoices import Invoice

ADDRESS_LENGTH = 254


class EmailState(models.TextChoices):
    """waiting → sending → sent | failed; back to waiting when it is worth another attempt."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


OPEN = (EmailState.WAITING, EmailState.SENDING)


class ReceiptEmailQuerySet(TenantQuerySet["ReceiptEmail"]):
    device_path = "invoice__device_id"

    def due(self, now: datetime) -> "ReceiptEmailQuerySet":
        """Those whose time has come: among them those whose sender died, once its lease is over."""
        return self.filter(state__in=OPEN, not_before__lte=now).order_by("not_before", "pk")


class ReceiptEmail(models.Model):
    """One mail with one receipt to one address."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="emails")
    address = models.EmailField(max_length=ADDRESS_LENGTH)
    state = models.CharField(max_length=7, choices=EmailState.choices, default=EmailState.WAITING)
    # The fence: who claimed an earlier attempt may not record anything any more.
    attempts = models.PositiveSmallIntegerField(default=0)
    # While sending: the end of the sender's lease.
    not_before = models.DateTimeField()
    # NS, CS, …: decided, and put on record as a print, before the first attempt.
    label = models.CharField(max_length=2, blank=True)
    error = models.CharField(max_length=400, blank=True)
    requested_by = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ReceiptEmailQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=EmailState.values), name="email_state"),
        ]
        indexes = [
            models.Index(fields=["not_before"], condition=Q(state__in=OPEN), name="email_due"),
            models.Index(fields=["invoice", "created_at"], name="email_invoice"),
            # Only those that somebody asked for: what a signature owes costs nothing here.
            models.Index(
                fields=["company", "address", "created_at"],
                condition=~Q(requested_by=""),
                name="email_asked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} to {self.address}"


def emails_are_on() -> bool:
    """Whether this installation knows a mail server and a sender."""
    return bool(settings.EMAIL_URL and settings.DEFAULT_FROM_EMAIL)
