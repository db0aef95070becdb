"""Z reports: each closes one business day of one device, for good.

Which Z counted a document stands on its receipt, so it is in one at most. Triggers of the database
refuse to change or delete a Z, its receipts and its items, and to add any to a Z that exists
(migrations `z_reports` and `z_on_receipts`).
"""

from django.db import models
from django.db.models import Q

from companies.models import Branch, Company, TenantQuerySet
from devices.models import Device
from items.models import Item


class ZCounter(models.Model):
    """The last Z of one device. Its row is locked while a Z is made: numbers have no gaps."""

    device = models.OneToOneField(
        Device, on_delete=models.PROTECT, primary_key=True, related_name="z_counter"
    )
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.device_id}: Z {self.last_number}"


class ZReportQuerySet(TenantQuerySet["ZReport"]):
    device_path = "device_id"


class ZReport(models.Model):
    """One closed day. `content` is the report as it was made; every format is drawn from it."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="z_reports")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="z_reports")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="z_reports")
    number = models.PositiveIntegerField()
    # The business day in Nairobi. A missed day is closed later, so `closed_at` may be after it.
    day = models.DateField()
    closed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=150)
    content = models.TextField()
    # Of `content` in UTF-8.
    sha256 = models.CharField(max_length=64)

    objects = ZReportQuerySet.as_manager()

    class Meta:
        verbose_name = "Z report"
        constraints = [
            models.UniqueConstraint(fields=["device", "number"], name="z_number_once"),
            models.UniqueConstraint(fields=["device", "day"], name="z_day_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="z_number_positive"),
        ]
        indexes = [models.Index(fields=["company", "-id"], name="z_company")]

    def __str__(self) -> str:
        return f"Z {self.number} of {self.device_id}, {self.day}"


class ZItem(models.Model):
    """What one Z counted of one item: a PLU report over a month reads these, not every line."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+", db_index=False)
    z = models.ForeignKey(ZReport, on_delete=models.PROTECT, related_name="items")
    # Of the sale, in Nairobi: a Z also counts what was signed late.
    day = models.DateField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=11)
    letter = models.CharField(max_length=1)
    rate = models.DecimalField(max_digits=5, decimal_places=2)
    quantity = models.DecimalField(max_digits=18, decimal_places=2)
    total = models.DecimalField(max_digits=20, decimal_places=2)

    class Meta:
        indexes = [models.Index(fields=["company", "day"], name="z_item_company")]

    def __str__(self) -> str:
        return f"{self.item_id} in {self.z_id}"
