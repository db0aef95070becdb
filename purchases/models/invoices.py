"""What suppliers told KRA that we bought, and what we answered."""

from django.db import models
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q

from companies.models import Branch, Company, TenantQuerySet
from items.models import Item
from outbox.models import Transmission


class State(models.TextChoices):
    OFFERED = "offered"
    MATCHED = "matched"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REJECTED = "rejected"


# KRA was told, or will be.
ANSWERED = [State.CONFIRMING.value, State.CONFIRMED.value]
OWED = [*ANSWERED, State.REFUSED.value]


class PurchaseQuerySet(TenantQuerySet["Purchase"]):
    # A till's token sees what was offered to its own branch.
    device_path = "branch__devices"

    def whole(self) -> "PurchaseQuerySet":
        """With what an answer shows of it, but for the lines. `is_partial`: KRA was told of less
        than the supplier declared.
        """
        left_out = Q(confirmed_quantity=None) | Q(confirmed_quantity__lt=F("quantity"))
        lines = PurchaseLine.objects.filter(left_out, purchase=OuterRef("pk"))
        told = Q(state__in=ANSWERED) & Exists(lines)
        rows = self.annotate(is_partial=ExpressionWrapper(told, output_field=BooleanField()))
        rows = rows.select_related("company", "branch", "transmission")
        return rows.defer("transmission__body", "transmission__content")


class Purchase(models.Model):
    """One supplier's invoice, as KRA offered it to one of our branches.

    offered ⇄ matched (every line has an item of ours) → confirming → confirmed | refused;
    refused → confirming when a person confirms again. offered, matched and refused → rejected,
    with a reason, and back. What the supplier declared never changes; confirmed is final.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="purchases")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="purchases")
    # The next four are given back to KRA exactly as they came (rule P1).
    supplier_pin = models.CharField(max_length=20)
    supplier_name = models.CharField(max_length=200, blank=True)
    supplier_branch = models.CharField(max_length=5, blank=True)
    number = models.BigIntegerField()
    is_credit_note = models.BooleanField(default=False)
    payment_code = models.CharField(max_length=5, blank=True)
    control_unit = models.CharField(max_length=60, blank=True)
    invoiced_on = models.DateField()
    signed_at = models.DateTimeField(null=True, blank=True)
    # The supplier's own figures. Suppliers write amounts down in several ways (rule T3).
    taxable = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    total = models.DecimalField(max_digits=18, decimal_places=2)
    remark = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    state_reason = models.CharField(max_length=400, blank=True)
    # The latest confirmation; earlier ones, which KRA refused, stay in the outbox.
    transmission = models.OneToOneField(
        Transmission, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    confirmed_tax = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    confirmed_total = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "branch", "supplier_pin", "supplier_branch", "number"],
                name="purchase_offered_once",
            ),
            # KRA offers to the PIN: two branches may see one invoice, and one of them buys it.
            models.UniqueConstraint(
                fields=["company", "supplier_pin", "supplier_branch", "number"],
                condition=Q(state__in=ANSWERED),
                name="purchase_confirmed_once",
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="purchase_state"),
            models.CheckConstraint(
                condition=~Q(state__in=OWED) | Q(transmission__isnull=False),
                name="purchase_owed_has_transmission",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | ~Q(state_reason=""),
                name="purchase_rejected_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="purchase_company"),
            models.Index(fields=["company", "updated_at"], name="purchase_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.supplier_pin}/{self.supplier_branch}/{self.number}"


class MatchSource(models.TextChoices):
    """Why a line stands for an item of ours."""

    PERSON = "person"
    REMEMBERED = "remembered"
    BARCODE = "barcode"
    CODE = "code"


class PurchaseLine(models.Model):
    """One line of the supplier's invoice, the item of ours it stands for, and what we confirmed."""

    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    supplier_code = models.CharField(max_length=60, blank=True)
    supplier_class = models.CharField(max_length=20, blank=True)
    name = models.CharField(max_length=300, blank=True)
    barcode = models.CharField(max_length=60, blank=True)
    package_unit = models.CharField(max_length=10, blank=True)
    quantity_unit = models.CharField(max_length=10, blank=True)
    quantity = models.DecimalField(max_digits=13, decimal_places=2)
    unit_price = models.DecimalField(max_digits=18, decimal_places=2)
    discount_percent = models.DecimalField(max_digits=7, decimal_places=2)
    discount = models.DecimalField(max_digits=18, decimal_places=2)
    letter = models.CharField(max_length=5, blank=True)
    taxable = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    total = models.DecimalField(max_digits=18, decimal_places=2)
    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase_lines"
    )
    match_source = models.CharField(max_length=10, choices=MatchSource.choices, blank=True)
    # What we told KRA; empty on a line that was left out.
    confirmed_quantity = models.DecimalField(max_digits=13, decimal_places=2, null=True, blank=True)
    confirmed_taxable = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    confirmed_tax = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    confirmed_total = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "sequence"], name="purchase_line_once"),
            models.CheckConstraint(
                condition=Q(confirmed_quantity=None)
                | Q(confirmed_quantity__gt=0, confirmed_quantity__lte=models.F("quantity")),
                name="purchase_line_within_offer",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_quantity=None) | Q(item__isnull=False),
                name="purchase_line_confirmed_has_item",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id}/{self.sequence}"
