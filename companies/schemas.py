"""What the API reads and writes about companies."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .models import ApiToken, Branch, Company, Member

Pin = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z][0-9]{9}[A-Z]$",
        description="KRA PIN: a capital letter, nine digits, a capital letter.",
        examples=["A123456789Z"],
    ),
]
BranchCode = Annotated[
    str, Meta(pattern=r"^[0-9]{2}$", description="The code KRA gave the branch.", examples=["00"])
]
CompanyPin = Annotated[str, Meta(description="PIN; only for the operator's token.")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
VISIBLE = r"^[!-~]+$"  # what travels in HTTP headers
Secret = Annotated[str, Meta(min_length=1, max_length=200, pattern=VISIBLE)]
Text60 = Annotated[str, Meta(min_length=1, max_length=60)]


class BranchInput(Struct, forbid_unknown_fields=True):
    code: BranchCode
    name: Text60
    address: Annotated[str, Meta(max_length=200)] = ""


class GatewayInput(Struct, forbid_unknown_fields=True):
    """Keys of the company's application in KRA's developer portal (profile gavaconnect)."""

    consumer_key: Secret
    consumer_secret: Secret
    app_id: Annotated[str, Meta(min_length=1, max_length=100, pattern=VISIBLE)]


class OnboardInput(Struct, forbid_unknown_fields=True):
    pin: Pin
    name: Name
    environment: Literal["simulator", "sandbox", "production"]
    head_office: BranchInput
    profile: Literal["direct", "gavaconnect"] = "direct"
    trade_name: Annotated[str, Meta(max_length=200)] = ""
    gateway: GatewayInput | None = None


class BranchOutput(Struct):
    id: int
    code: str
    name: str
    address: str
    is_head_office: bool
    kra_name: Annotated[str, Meta(description="As KRA lists it; empty before the first sync.")]
    kra_address: str
    is_open: Annotated[bool, Meta(description="False: KRA lists the branch as closed.")]
    manager_name: str
    manager_phone: str
    manager_email: str

    @classmethod
    def of(cls, branch: Branch) -> "BranchOutput":
        return cls(
            id=branch.pk,
            code=branch.code,
            name=branch.name,
            address=branch.address,
            is_head_office=branch.is_head_office,
            kra_name=branch.kra_name,
            kra_address=branch.kra_address,
            is_open=branch.is_open,
            manager_name=branch.manager_name,
            manager_phone=branch.manager_phone,
            manager_email=branch.manager_email,
        )


class CompanyOutput(Struct):
    id: int
    pin: str
    name: str
    trade_name: str
    environment: str
    profile: str
    registered_name: str
    pin_verified: bool
    is_active: bool
    created_at: datetime

    @classmethod
    def of(cls, company: Company) -> "CompanyOutput":
        return cls(
            id=company.pk,
            pin=company.pin,
            name=company.name,
            trade_name=company.trade_name,
            environment=company.environment,
            profile=company.profile,
            registered_name=company.registered_name,
            pin_verified=company.pin_verified_at is not None,
            is_active=company.is_active,
            created_at=company.created_at,
        )


class OnboardOutput(Struct):
    company: CompanyOutput
    branch: BranchOutput
    token: Annotated[str, Meta(description="The company's first token. It is shown only here.")]
    next_step: str


class TokenInput(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: list[str]
    device: Annotated[str, Meta(description="Serial of the device to bind the token to.")] = ""
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    company: CompanyPin = ""


class TokenOutput(Struct):
    id: int
    name: str
    prefix: str
    scopes: list[str]
    device: str | None
    state: str
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    token: str | None = None

    @classmethod
    def of(cls, token: ApiToken, secret: str | None = None) -> "TokenOutput":
        return cls(
            id=token.pk,
            name=token.name,
            prefix=token.prefix,
            scopes=token.scopes,
            device=token.device.serial if token.device else None,
            state=token.state,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            created_at=token.created_at,
            token=secret,
        )


class MemberInput(Struct, forbid_unknown_fields=True):
    username: Annotated[str, Meta(pattern=r"^[\w.@+-]{1,150}$")]
    role: Literal["owner", "manager", "cashier", "auditor"]
    email: Annotated[str, Meta(max_length=254)] = ""
    password: str | None = None


class MemberPatch(Struct, forbid_unknown_fields=True):
    role: Literal["owner", "manager", "cashier", "auditor"]


class MemberOutput(Struct):
    id: int
    username: str
    role: str
    created_at: datetime

    @classmethod
    def of(cls, member: Member) -> "MemberOutput":
        return cls(member.pk, member.user.get_username(), member.role, member.created_at)
