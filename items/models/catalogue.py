"""What a taxpayer sells, and the running number of its item codes."""

from django.db import models
from django.db.models import Q

from companies.models import Company, TenantQuerySet
from devices.models import Device
from outbox.models import OPEN, Status, Transmission

LETTERS = "ABCDE"
# Rule I2(d): KRA compares two characters of the code with the unit, so longer units never pass.
UNIT_PATTERN = r"^[A-Z0-9]{2}$"
COUNTRY_PATTERN = r"^[A-Z]{2}$"


class ProductType(models.TextChoices):
    RAW = "1", "raw"
    FINISHED = "2", "finished"
    SERVICE = "3", "service"


class ItemQuerySet(TenantQuerySet["Item"]):
    def drafts(self) -> "ItemQuerySet":
        """Items that should be at KRA and for which nothing was ever owed."""
        never_owed = Q(transmission=None) | Q(transmission__status=Status.CANCELLED)
        return self.filter(never_owed, is_fiscal=True, registered_at=None)

    def in_state(self, state: str) -> "ItemQuerySet":
        """The items whose `state` reads so; none for an unknown word."""
        refused = Q(transmission__status=Status.REFUSED)
        owed = Q(transmission__status__in=OPEN)
        settled = Q(transmission=None) | ~(refused | owed)
        conditions = {
            "refused": refused,
            "queued": owed,
            "registered": settled & Q(registered_at__isnull=False),
            "draft": settled & Q(registered_at=None),
        }
        return self.filter(conditions[state]) if state in conditions else self.none()


class Item(models.Model):
    """One thing a company sells, under the company's own SKU.

    `transmission` is the latest debt to KRA. `code` is KRA's item code: taken when the first
    message is claimed, emptied when KRA refuses it, fixed once KRA has accepted it.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="items")
    sku = models.CharField(max_length=60)
    name = models.CharField(max_length=200)
    code = models.CharField(max_length=20, blank=True)
    classification = models.CharField(max_length=10)
    product_type = models.CharField(
        max_length=1, choices=ProductType.choices, default=ProductType.FINISHED
    )
    packaging_unit = models.CharField(max_length=2, default="NT")
    quantity_unit = models.CharField(max_length=2, default="NO")
    tax_letter = models.CharField(max_length=1)
    # Includes the tax.
    price = models.DecimalField(max_digits=18, decimal_places=2)
    barcode = models.CharField(max_length=20, blank=True)
    # The company's own grouping; KRA never hears of it.
    category = models.CharField(max_length=60, blank=True, default="", db_default="")
    origin_country = models.CharField(max_length=2, default="KE")
    # False: KRA never hears of it, and it cannot be on a fiscal sale.
    is_fiscal = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    transmission = models.ForeignKey(
        Transmission, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    registered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "sku"], name="item_sku_once"),
            models.UniqueConstraint(
                fields=["company", "code"], condition=~Q(code=""), name="item_code_once"
            ),
            models.CheckConstraint(
                condition=Q(product_type__in=ProductType.values), name="item_product_type"
            ),
            models.CheckConstraint(
                condition=Q(tax_letter__in=list(LETTERS)), name="item_tax_letter"
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="item_price_positive"),
            models.CheckConstraint(
                condition=Q(packaging_unit__regex=UNIT_PATTERN)
                & Q(quantity_unit__regex=UNIT_PATTERN)
                & Q(origin_country__regex=COUNTRY_PATTERN),
                name="item_code_parts",
            ),
            models.CheckConstraint(
                condition=Q(registered_at=None) | ~Q(code=""), name="item_registered_has_code"
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="item_company"),
            models.Index(fields=["company", "updated_at"], name="item_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    @property
    def state(self) -> str:
        """draft, queued, registered or refused: what became of the latest debt to KRA.

        An item with a `registered_at` can be sold, even while a change of it is queued.
        """
        status = self.transmission.status if self.transmission else ""
        if status == Status.REFUSED:
            return "refused"
        if status in OPEN:
            return "queued"
        return "registered" if self.registered_at else "draft"

    @property
    def is_service(self) -> bool:
        return self.product_type == ProductType.SERVICE

    @property
    def is_on_its_way(self) -> bool:
        """Its first registration is owed and undecided."""
        return self.registered_at is None and self.state == "queued"


class ItemDefault(models.Model):
    """What new items of one category are, where their rows do not say. Blank: no default."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="item_defaults")
    category = models.CharField(max_length=60)
    classification = models.CharField(max_length=10, blank=True)
    tax_letter = models.CharField(max_length=1, blank=True)
    product_type = models.CharField(max_length=1, choices=ProductType.choices, blank=True)
    packaging_unit = models.CharField(max_length=2, blank=True)
    quantity_unit = models.CharField(max_length=2, blank=True)
    updated_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "category"], name="item_default_once"),
        ]

    def __str__(self) -> str:
        return f"{self.company_id}/{self.category}"


class ItemComponent(models.Model):
    """So many of `component` are in one `parent`; KRA cannot be asked for it.

    queued → accepted | refused; anything settled → queued when it is sent again.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="components")
    parent = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="components")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="part_of")
    quantity = models.DecimalField(max_digits=13, decimal_places=2)
    transmission = models.OneToOneField(Transmission, on_delete=models.PROTECT, related_name="+")
    # What KRA has accepted last; None while it has accepted none.
    accepted_quantity = models.DecimalField(max_digits=13, decimal_places=2, null=True, blank=True)
    updated_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "component"], name="component_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="component_quantity"),
            models.CheckConstraint(
                condition=~Q(parent=models.F("component")), name="component_is_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} ← {self.quantity} × {self.component_id}"

    @property
    def state(self) -> str:
        """queued, accepted or refused."""
        status = self.transmission.status
        if status in OPEN:
            return "queued"
        return "accepted" if status == Status.ACCEPTED else "refused"


class ItemCounter(models.Model):
    """A company's running number over all its item codes (rule I3), and who spends it.

    One device registers all items: KRA wants last accepted + 1 per PIN, so only one lane may
    have an item in flight. `last_number` moves only when KRA accepts.
    """

    company = models.OneToOneField(Company, on_delete=models.PROTECT, related_name="item_counter")
    last_number = models.PositiveIntegerField(default=0)
    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # When KRA was asked which numbers it holds already: another system may have used some.
    counted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.company_id}: {self.last_number}"
