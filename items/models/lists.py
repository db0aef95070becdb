"""KRA's published lists, one copy per environment, shared by all companies."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from companies.models import Environment

TAX_CLASS = "04"
CODES, CLASSIFICATIONS, NOTICES = "code_list", "item_class_list", "notice_list"
# What people call the lists.
LIST_NAMES = {CODES: "codes", CLASSIFICATIONS: "classifications", NOTICES: "notices"}
# The classes that callers need most, by name.
CLASS_NAMES = {
    "tax": "04",
    "countries": "05",
    "payment_methods": "07",
    "quantity_units": "10",
    "stock_types": "12",
    "packaging_units": "17",
    "product_types": "24",
    "credit_note_reasons": "32",
}


class Code(models.Model):
    """One code of one of KRA's code classes (`04` tax, `10` units, `17` packaging, …)."""

    environment = models.CharField(max_length=10, choices=Environment.choices)
    class_id = models.CharField(max_length=5)
    class_name = models.CharField(max_length=60, blank=True)
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)
    sort = models.IntegerField(default=0)
    # KRA's custom columns; of class 04 the first is the rate in percent.
    extra1 = models.CharField(max_length=60, blank=True)
    extra2 = models.CharField(max_length=60, blank=True)
    extra3 = models.CharField(max_length=60, blank=True)
    is_active = models.BooleanField(default=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "class_id", "code"], name="code_once"),
        ]

    def __str__(self) -> str:
        return f"{self.class_id}/{self.code} {self.name}"

    def answers_to(self, words: Iterable[str]) -> bool:
        """Do all the lower-case words occur in it?"""
        text = f"{self.code} {self.name} {self.description}".lower()
        return all(word in text for word in words)


class Classification(models.Model):
    """One node of KRA's tree of goods and services; an item names one (rule I4)."""

    environment = models.CharField(max_length=10, choices=Environment.choices)
    code = models.CharField(max_length=10)
    name = models.CharField(max_length=300, blank=True)
    level = models.PositiveSmallIntegerField(default=0)
    tax_letter = models.CharField(max_length=5, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "code"], name="classification_once"),
        ]
        indexes = [
            GinIndex(SearchVector("name", config="english"), name="classification_words"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class SyncStateQuerySet(models.QuerySet["SyncState"]):
    def synced_at(self, name: str, environments: Iterable[str]) -> datetime | None:
        """Since when the oldest copy of a list is unproven; None before the first answer."""
        mine = self.filter(name=name, environment__in=list(environments))
        oldest: datetime | None = mine.aggregate(oldest=models.Min("synced_at"))["oldest"]
        return oldest


class SyncState(models.Model):
    """How far one list of one environment is known."""

    environment = models.CharField(max_length=10, choices=Environment.choices)
    name = models.CharField(max_length=20)
    # KRA's clock, not ours (rule D4): the next request asks for what changed after it.
    last_result_at = models.DateTimeField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # Our clock: when KRA last answered, and when its answer last changed something here.
    synced_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)

    objects = SyncStateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "name"], name="sync_state_once"),
        ]

    def __str__(self) -> str:
        return f"{self.environment}/{self.name}"


class TaxRateQuerySet(models.QuerySet["TaxRate"]):
    def usable(self) -> "TaxRateQuerySet":
        return self.filter(approved=True)

    def held(self) -> "TaxRateQuerySet":
        """Changes that KRA published and no person has approved yet."""
        return self.filter(approved=False)


class TaxRate(models.Model):
    """The rate of one tax letter from one day on. It is used only once it is approved."""

    environment = models.CharField(max_length=10, choices=Environment.choices)
    letter = models.CharField(max_length=1)
    rate = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateField()
    approved = models.BooleanField(default=False)

    objects = TaxRateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "letter", "valid_from", "rate"], name="tax_rate_once"
            ),
            models.UniqueConstraint(
                fields=["environment", "letter", "valid_from"],
                condition=Q(approved=True),
                name="tax_rate_one_per_day",
            ),
            models.CheckConstraint(
                condition=Q(rate__gte=0) & Q(rate__lt=100), name="tax_rate_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.letter} {self.rate} % from {self.valid_from}"
