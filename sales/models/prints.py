"""Who was handed which piece of paper (rule R3)."""

from django.db import models
from django.db.models import F, Q

from companies.models import Branch, Company, TenantQuerySet
from devices.models import Device

from .invoices import Invoice, money


class Label(models.TextChoices):
    """The two letters on a receipt (rule R3). Only NS and NC are official."""

    SALE = "NS", "sale"
    CREDIT_NOTE = "NC", "credit note"
    SALE_COPY = "CS", "copy of a sale"
    CREDIT_NOTE_COPY = "CC", "copy of a credit note"
    TRAINING_SALE = "TS", "training sale"
    TRAINING_CREDIT_NOTE = "TC", "training credit note"
    PROFORMA = "PS", "proforma"

    @property
    def is_original(self) -> bool:
        return self in ORIGINALS

    @property
    def is_credit(self) -> bool:
        return self.value[1] == "C"


ORIGINALS = (Label.SALE, Label.CREDIT_NOTE)


class ReceiptPrintQuerySet(TenantQuerySet["ReceiptPrint"]):
    device_path = "device_id"


class ReceiptPrint(models.Model):
    """One receipt handed out, on paper or as a file.

    An invoice has one original at a time: it is an original until somebody says, with a reason,
    that the paper was spoiled. `print_id` is the till's own name for one print: asking again with
    it is the same piece of paper, counted in `repeats`.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    # None for a proforma: what is not sold is not stored.
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="prints")
    label = models.CharField(max_length=2, choices=Label.choices)
    format = models.CharField(max_length=20)
    reference = models.CharField(max_length=50, blank=True)
    total = money()
    print_id = models.CharField(max_length=64, blank=True)
    repeats = models.PositiveIntegerField(default=0)
    printed_by = models.CharField(max_length=120)
    printed_at = models.DateTimeField()
    spoiled_at = models.DateTimeField(null=True, blank=True)
    spoiled_by = models.CharField(max_length=120, blank=True)
    spoiled_reason = models.CharField(max_length=400, blank=True)

    objects = ReceiptPrintQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(label__in=[label.value for label in ORIGINALS], spoiled_at=None),
                name="print_one_original",
            ),
            models.UniqueConstraint(
                fields=["invoice", "print_id"],
                condition=~Q(print_id=""),
                name="print_id_once",
            ),
            # A proforma has no invoice; its till's name for it is enough.
            models.UniqueConstraint(
                fields=["device", "print_id"],
                condition=Q(invoice=None) & ~Q(print_id=""),
                name="print_id_once_proforma",
            ),
            # The buyer's own page is one copy, however often it is opened.
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(printed_by="buyer page"),
                name="print_one_buyer_page",
            ),
            models.CheckConstraint(condition=Q(label__in=Label.values), name="print_label"),
            models.CheckConstraint(
                condition=Q(label="PS", invoice=None) | ~Q(label="PS") & Q(invoice__gt=0),
                name="print_of_an_invoice",
            ),
            models.CheckConstraint(
                condition=Q(spoiled_at=None) | Q(spoiled_at__gte=F("printed_at")),
                name="print_spoiled_later",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "printed_at"], name="print_company"),
            models.Index(fields=["device", "printed_at"], name="print_device"),
            # A Z counts all that are not originals; those are few.
            models.Index(
                fields=["device"],
                name="print_unofficial",
                condition=~Q(label__in=[label.value for label in ORIGINALS]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.reference}"
