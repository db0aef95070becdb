"""Taxpayers, their branches, the people and the machines that act for them."""

import hashlib
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.crypto import EncryptedTextField

if TYPE_CHECKING:
    from devices.models import Device

M = TypeVar("M", bound=models.Model)
PIN_PATTERN = r"^[A-Z]\d{9}[A-Z]$"


class Environment(models.TextChoices):
    SIMULATOR = "simulator"
    SANDBOX = "sandbox"
    PRODUCTION = "production"


class Profile(models.TextChoices):
    """Which of KRA's two hosts the company's devices talk to."""

    DIRECT = "direct"
    GAVACONNECT = "gavaconnect"


class Role(models.TextChoices):
    OWNER = "owner"
    MANAGER = "manager"
    CASHIER = "cashier"
    AUDITOR = "auditor"


class Scope(models.TextChoices):
    """What a token may do. `platform:admin` is the operator of this installation."""

    PLATFORM = "platform:admin"
    COMPANY_WRITE = "company:write"
    DEVICES_WRITE = "devices:write"
    ITEMS_WRITE = "items:write"
    SALES_WRITE = "sales:write"
    SALES_READ = "sales:read"
    PURCHASES_WRITE = "purchases:write"
    PURCHASES_READ = "purchases:read"
    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"
    LOGS_READ = "logs:read"
    WEBHOOKS_WRITE = "webhooks:write"


COMPANY_SCOPES = [scope.value for scope in Scope if scope != Scope.PLATFORM]
TILL_SCOPES = [Scope.SALES_WRITE.value, Scope.SALES_READ.value]


class TenantQuerySet(models.QuerySet[M]):
    """Every model that belongs to a company has this. The one place where tenancy is decided."""

    company_path = "company_id"
    device_path = ""

    def visible_to(self, token: "ApiToken") -> "TenantQuerySet[M]":
        """Rows of the token's company; of its device when it is bound; all for the operator."""
        if token.is_platform:
            return self.all()
        mine = self.filter(**{self.company_path: token.company_id})
        if token.device_id and self.device_path:
            mine = mine.filter(**{self.device_path: token.device_id})
        return mine


class CompanyQuerySet(TenantQuerySet["Company"]):
    company_path = "pk"


class Company(models.Model):
    """One taxpayer."""

    pin = models.CharField(max_length=11, unique=True)
    name = models.CharField(max_length=200)
    trade_name = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    profile = models.CharField(max_length=11, choices=Profile.choices)
    # KRA's own record of the taxpayer, known once a device has been initialised.
    registered_name = models.CharField(max_length=200, blank=True)
    pin_verified_at = models.DateTimeField(null=True, blank=True)
    # Credentials of the gateway application, when the company has one of its own.
    consumer_key = EncryptedTextField(blank=True, default="")
    consumer_secret = EncryptedTextField(blank=True, default="")
    app_id = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CompanyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "companies"
        constraints = [
            models.CheckConstraint(condition=Q(pin__regex=PIN_PATTERN), name="company_pin_form"),
            models.CheckConstraint(
                condition=Q(environment__in=Environment.values), name="company_environment"
            ),
            models.CheckConstraint(condition=Q(profile__in=Profile.values), name="company_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.pin})"


class BranchQuerySet(TenantQuerySet["Branch"]):
    pass


class Branch(models.Model):
    """One branch as KRA knows it. There is no default code: KRA assigns it."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="branches")
    code = models.CharField(max_length=2)
    name = models.CharField(max_length=60)
    address = models.CharField(max_length=200, blank=True)
    is_head_office = models.BooleanField(default=False)
    # KRA's own record of the branch, from its branch list. Name and address follow it until
    # somebody here has written other ones; then KRA's stand beside them.
    kra_name = models.CharField(max_length=60, blank=True, default="", db_default="")
    kra_address = models.CharField(max_length=200, blank=True, default="", db_default="")
    manager_name = models.CharField(max_length=60, blank=True, default="", db_default="")
    manager_phone = models.CharField(max_length=20, blank=True, default="", db_default="")
    manager_email = models.CharField(max_length=100, blank=True, default="", db_default="")
    # False: KRA lists it as closed. It may never have traded, and nothing here was deleted.
    is_open = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BranchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "branches"
        constraints = [
            models.UniqueConstraint(fields=["company", "code"], name="branch_code_once"),
            models.UniqueConstraint(
                fields=["company"], condition=Q(is_head_office=True), name="branch_one_head_office"
            ),
            models.CheckConstraint(condition=Q(code__regex=r"^\d{2}$"), name="branch_code_form"),
        ]

    def __str__(self) -> str:
        return f"{self.company_id}/{self.code} {self.name}"


class Language(models.TextChoices):
    ENGLISH = "en", "English"
    KISWAHILI = "sw", "Kiswahili"


class Paper(models.TextChoices):
    A4 = "a4", "A4"
    ROLL_80 = "80mm", "80 mm roll"
    ROLL_58 = "58mm", "58 mm roll"


HEADER_LINES, FOOTER_LINES, LINE_CHARACTERS = 5, 8, 60


class BrandingQuerySet(TenantQuerySet["Branding"]):
    pass


class Branding(models.Model):
    """How one company's receipts look. A company without a row has the defaults."""

    company = models.OneToOneField(Company, on_delete=models.CASCADE, related_name="branding")
    # PNG as companies/branding/logos.py wrote it, empty without one. In the database, because each
    # web and worker host prints.
    logo = models.BinaryField(blank=True, default=b"")
    logo_width = models.PositiveSmallIntegerField(default=0)
    logo_height = models.PositiveSmallIntegerField(default=0)
    header = ArrayField(
        models.CharField(max_length=LINE_CHARACTERS), size=HEADER_LINES, default=list, blank=True
    )
    footer = ArrayField(
        models.CharField(max_length=LINE_CHARACTERS), size=FOOTER_LINES, default=list, blank=True
    )
    language = models.CharField(max_length=2, choices=Language.choices, default=Language.ENGLISH)
    paper = models.CharField(max_length=4, choices=Paper.choices, default=Paper.ROLL_80)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BrandingQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "branding"
        constraints = [
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="branding_language"
            ),
            models.CheckConstraint(condition=Q(paper__in=Paper.values), name="branding_paper"),
        ]

    def __str__(self) -> str:
        return f"Branding of {self.company}"


class MemberQuerySet(TenantQuerySet["Member"]):
    pass


class Member(models.Model):
    """One person's role in one company."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "user"], name="member_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiTokenQuerySet(TenantQuerySet["ApiToken"]):
    device_path = "device_id"

    def usable(self) -> "ApiTokenQuerySet":
        alive = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(alive, revoked_at__isnull=True).exclude(company__is_active=False)


class ApiToken(models.Model):
    """One machine's access. Only a hash is stored; the token itself is shown once."""

    company = models.ForeignKey(
        Company, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens"
    )
    # By name: companies does not import devices.
    device: "models.ForeignKey[Device | None, Device | None]" = models.ForeignKey(
        "devices.Device", on_delete=models.CASCADE, null=True, blank=True, related_name="tokens"
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(company__isnull=False) | Q(scopes__contains=[Scope.PLATFORM.value]),
                name="token_company_or_platform",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_platform(self) -> bool:
        return self.company_id is None and Scope.PLATFORM in self.scopes

    @property
    def state(self) -> str:
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active"

    @staticmethod
    def hash_of(secret: str) -> str:
        # The secret has 256 bits of its own, so a plain digest is enough.
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(
        cls,
        *,
        name: str,
        scopes: list[str],
        company: Company | None = None,
        device: Any = None,
        expires_at: datetime | None = None,
    ) -> tuple["ApiToken", str]:
        """Store a new token's hash; return the row and the secret, which is shown once."""
        secret = f"etims_{secrets.token_urlsafe(32)}"
        token = cls.objects.create(
            company=company,
            device=device,
            name=name,
            prefix=secret[:12],
            hash=cls.hash_of(secret),
            scopes=scopes,
            expires_at=expires_at,
        )
        return token, secret
