"""Sales and credit notes, what was sold, and what KRA's control unit signed."""

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from companies.models import Branch, Company, TenantQuerySet
from devices.models import Device
from items.models import Item
from outbox.models import Status, Transmission

LETTERS = "ABCDE"
QR_HOSTS = {"production": "https://etims.kra.go.ke"}
QR_SANDBOX = "https://etims-sbx.kra.go.ke"
# Rule R4; the spelling without the second "i" answers 404.
QR_PATH = "/common/link/etims/receipt/indexEtimsReceiptData?Data="


class Kind(models.TextChoices):
    SALE = "sale"
    CREDIT_NOTE = "credit_note"


class State(models.TextChoices):
    """What people decided; what KRA decided is the transmission's status."""

    ACTIVE = "active"
    VOIDED = "voided"
    SUPERSEDED = "superseded"


# The words a till sees, for each state of the message to KRA.
PUBLIC_STATUS = {
    Status.QUEUED: "queued",
    Status.SENDING: "sending",
    Status.UNKNOWN: "unknown",
    Status.CONFLICT: "conflict",
    Status.ACCEPTED: "signed",
    Status.REFUSED: "refused",
    Status.CANCELLED: "voided",
}


def public_token() -> str:
    return secrets.token_urlsafe(16)


def money(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=18, decimal_places=2, **options)


class InvoiceQuerySet(TenantQuerySet["Invoice"]):
    device_path = "device_id"

    def whole(self) -> "InvoiceQuerySet":
        """With all that an answer shows, in a constant number of queries."""
        related = (
            "transmission",
            "device",
            "branch",
            "company",
            "receipt",
            "original__transmission",
        )
        whole = self.select_related(*related).defer("transmission__content", "transmission__body")
        return whole.prefetch_related("lines__item")


class Invoice(models.Model):
    """One version of a sale or of a credit note. Content never changes; a correction is a new
    version. Amounts are shillings including tax unless the name says taxable.
    """

    # The composite indexes below begin with them: indexes of their own would only cost every sale.
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="invoices")
    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    kind = models.CharField(max_length=11, choices=Kind.choices)
    reference = models.CharField(max_length=50)
    version = models.PositiveIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=400, blank=True)
    state_at = models.DateTimeField(null=True, blank=True)
    is_training = models.BooleanField(default=False)
    # None for training: that never reaches KRA's books.
    transmission = models.OneToOneField(
        Transmission, on_delete=models.PROTECT, null=True, related_name="invoice"
    )
    original = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credit_notes", db_index=False
    )
    credit_reason = models.CharField(max_length=2, blank=True)
    returns_goods = models.BooleanField(default=False)
    sold_at = models.DateTimeField()
    customer_pin = models.CharField(max_length=11, blank=True)
    customer_name = models.CharField(max_length=60, blank=True)
    customer_phone = models.CharField(max_length=20, blank=True)
    # Ours alone: the receipt is mailed there, and KRA is not told.
    customer_email = models.EmailField(max_length=254, blank=True, default="", db_default="")
    payment_method = models.CharField(max_length=2)
    remark = models.CharField(max_length=400, blank=True)
    currency = models.CharField(max_length=3, default="KES")
    exchange_rate = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    prices_include_tax = models.BooleanField(default=True)
    total = money()
    taxable = money()
    tax = money()
    discount = money()
    taxable_a = money(default=0)
    taxable_b = money(default=0)
    taxable_c = money(default=0)
    taxable_d = money(default=0)
    taxable_e = money(default=0)
    tax_a = money(default=0)
    tax_b = money(default=0)
    tax_c = money(default=0)
    tax_d = money(default=0)
    tax_e = money(default=0)
    content_hash = models.CharField(max_length=64)
    public_token = models.CharField(max_length=32, unique=True, default=public_token)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["branch", "reference"],
                condition=Q(is_current=True),
                name="invoice_reference_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="invoice_kind"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="invoice_state"),
            models.CheckConstraint(
                condition=Q(kind="sale", original=None) | Q(kind="credit_note", original__gt=0),
                name="invoice_credit_note_has_original",
            ),
            models.CheckConstraint(
                condition=Q(is_training=True) | Q(transmission__isnull=False),
                name="invoice_is_owed",
            ),
            models.CheckConstraint(condition=Q(total__gte=0), name="invoice_total_positive"),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="invoice_company"),
            models.Index(fields=["device", "-id"], name="invoice_device"),
            models.Index(fields=["company", "sold_at"], name="invoice_sold"),
            models.Index(fields=["company", "reference"], name="invoice_reference"),
            # An ordinary sale is in none of these.
            models.Index(
                fields=["original"], name="invoice_original", condition=Q(original__isnull=False)
            ),
            models.Index(fields=["device"], name="invoice_training", condition=Q(is_training=True)),
            models.Index(fields=["device"], name="invoice_voided", condition=Q(state="voided")),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def status(self) -> str:
        """One word for a person: what became of this sale."""
        if self.state != State.ACTIVE:
            return str(self.state)
        if self.transmission is None:
            return "training"
        return PUBLIC_STATUS[Status(self.transmission.status)]

    @property
    def public_url(self) -> str:
        return f"{settings.PUBLIC_URL}/r/{self.public_token}/"


class InvoiceLine(models.Model):
    """One line as sold; amounts as they are sent to KRA."""

    # Found by the constraint below; items are looked up from lines, not lines from items.
    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    sequence = models.PositiveSmallIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The line of the original that a credit note gives back.
    original_line = models.ForeignKey("self", on_delete=models.PROTECT, null=True, db_index=False)
    name = models.CharField(max_length=200)
    quantity = models.DecimalField(max_digits=13, decimal_places=2)
    unit_price = money()
    supply = money()
    discount_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    discount = money()
    letter = models.CharField(max_length=1)
    rate = models.DecimalField(max_digits=5, decimal_places=2)
    taxable = money()
    tax = money()
    total = money()

    class Meta:
        ordering = ["sequence"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "sequence"], name="line_sequence_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(condition=Q(letter__in=list(LETTERS)), name="line_letter"),
        ]
        indexes = [
            models.Index(
                fields=["original_line"],
                name="line_original",
                condition=Q(original_line__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.sequence}. {self.name}"


class Receipt(models.Model):
    """What KRA's control unit signed; printed on the receipt (rules R1, R2)."""

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="receipt")
    # The invoice's own: what no Z has counted is found by it.
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The Z that counted it: set once, by that Z, in the transaction that makes it.
    z = models.ForeignKey(
        "sales.ZReport", on_delete=models.PROTECT, null=True, related_name="receipts",
        db_index=False,
    )  # fmt: skip
    number = models.BigIntegerField()
    receipt_number = models.BigIntegerField()
    total_receipts = models.BigIntegerField()
    # 26 and 16 characters today; an answer must never be too long to be recorded.
    internal_data = models.CharField(max_length=255)
    signature = models.CharField(max_length=255)
    signed_at = models.DateTimeField()
    scu_id = models.CharField(max_length=18)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # Small for ever where days are closed: a Z takes its receipts out.
            models.Index(fields=["device"], name="receipt_uncounted", condition=Q(z=None)),
            models.Index(fields=["z"], name="receipt_z", condition=Q(z__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.scu_id}/{self.receipt_number}"

    @property
    def qr_url(self) -> str:
        """KRA's page for this receipt (rule R4)."""
        invoice = self.invoice
        host = QR_HOSTS.get(invoice.company.environment, QR_SANDBOX)
        return f"{host}{QR_PATH}{invoice.company.pin}{invoice.branch.code}{self.signature}"
