"""What is remembered between invoices: whose item is which of ours, and how far KRA was asked."""

from django.db import models

from companies.models import Branch, Company, TenantQuerySet
from items.models import Item


class RememberedMatchQuerySet(TenantQuerySet["RememberedMatch"]):
    pass


class RememberedMatch(models.Model):
    """A person said that this item of a supplier is that item of ours."""

    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="remembered_matches"
    )
    supplier_pin = models.CharField(max_length=20)
    # The supplier's item code, or its name where there is no code (services/matching.py).
    key = models.CharField(max_length=320)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="remembered_matches")
    updated_at = models.DateTimeField(auto_now=True)

    objects = RememberedMatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "remembered matches"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "supplier_pin", "key"], name="remembered_match_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.supplier_pin} {self.key}"


class SyncMarkQuerySet(TenantQuerySet["SyncMark"]):
    company_path = "branch__company_id"


class SyncMark(models.Model):
    """Up to when a branch knows what KRA offers it."""

    branch = models.OneToOneField(Branch, on_delete=models.CASCADE, related_name="purchase_mark")
    # KRA's clock, not ours (rule D4).
    last_result_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)

    objects = SyncMarkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.branch_id} until {self.last_result_at}"
