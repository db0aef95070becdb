"""What the API reads and writes about a branch's customers, users and insurers."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from companies.schemas import VISIBLE, Pin
from items.schemas import Trouble
from outbox.models import Status
from sales.models.registers import BranchRecord, BranchUser, Customer, Insurance

Text20 = Annotated[str, Meta(max_length=20)]
Text200 = Annotated[str, Meta(max_length=200)]
Text300 = Annotated[str, Meta(max_length=300)]
Remark1000 = Annotated[str, Meta(max_length=1000)]
Remark2000 = Annotated[str, Meta(max_length=2000)]
Name60 = Annotated[str, Meta(max_length=60, pattern=r"\S")]
Name100 = Annotated[str, Meta(max_length=100, pattern=r"\S")]
CustomerNumber = Annotated[
    str,
    Meta(
        max_length=9,
        pattern=VISIBLE,
        description="Your own number of the customer, unique in the branch.",
        examples=["C-1001"],
    ),
]
UserId = Annotated[
    str,
    Meta(
        max_length=20,
        pattern=VISIBLE,
        description="Your own id of the user, unique in the branch.",
        examples=["asha"],
    ),
]
InsuranceCode = Annotated[
    str,
    Meta(
        max_length=10,
        pattern=VISIBLE,
        description="Your own code of the insurer, unique in the branch.",
        examples=["INS01"],
    ),
]
Email = Annotated[str, Meta(max_length=50, pattern=r"^([^@\s]+@[^@\s]+)?$")]
Authority = Annotated[
    str, Meta(max_length=100, description="What the user may do, in your own words.")
]
Password = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="KRA's message has a field for it and KRA never asks for it. Leave it out: "
        "then a random one is sent. It is never shown again.",
    ),
]
Percent = Annotated[int, Meta(ge=0, le=100, description="The share the insurer pays, in percent.")]
Serial = Annotated[
    str, Meta(description="Serial; default: the token's own. Its branch keeps the record.")
]


class CustomerInput(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out keeps its value on a customer that exists."""

    number: CustomerNumber
    pin: Pin | UnsetType = UNSET
    name: Name60 | UnsetType = UNSET
    address: Text300 | UnsetType = UNSET
    phone: Text20 | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    fax: Text20 | UnsetType = UNSET
    remark: Remark1000 | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    device: Serial = ""


class BranchUserInput(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out keeps its value on a user that exists."""

    user_id: UserId
    name: Name60 | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    address: Text200 | UnsetType = UNSET
    contact: Text20 | UnsetType = UNSET
    authority: Authority | UnsetType = UNSET
    remark: Remark2000 | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    device: Serial = ""

    def __repr__(self) -> str:
        return f"BranchUserInput(user_id={self.user_id!r})"


class InsuranceInput(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out keeps its value on an insurer that exists."""

    code: InsuranceCode
    name: Name100 | UnsetType = UNSET
    rate: Percent | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    device: Serial = ""


def values_of(data: Struct, key: str) -> dict[str, Any]:
    """What was given of a record, but for its key and the device."""
    given = msgspec.structs.asdict(data)
    return {
        name: value
        for name, value in given.items()
        if value is not UNSET and name not in (key, "device")
    }


class RecordState(Struct, kw_only=True):
    """Where a record stands with KRA."""

    id: int
    branch: str
    device: Annotated[str, Meta(description="The device that registers it.")]
    is_active: bool
    state: Annotated[str, Meta(description="queued, registered or refused.")]
    registered_at: Annotated[
        datetime | None, Meta(description="Since when KRA has it; a later change keeps it.")
    ]
    updated_at: datetime
    trouble: Trouble | None


def _state_of(record: BranchRecord) -> dict[str, Any]:
    return {
        "id": record.pk,
        "branch": record.branch.code,
        "device": record.device.serial,
        "is_active": record.is_active,
        "state": record.state,
        "registered_at": record.registered_at,
        "updated_at": record.updated_at,
        "trouble": _trouble_of(record),
    }


def _trouble_of(record: BranchRecord) -> Trouble | None:
    trouble = Trouble.of(record.transmission)
    if trouble and record.transmission.status in (Status.CONFLICT, Status.REFUSED):
        trouble.help += " Then change the record, or send it again with POST …/retry/."
    return trouble


class CustomerOutput(RecordState, kw_only=True):
    number: str
    pin: str
    name: str
    address: str
    phone: str
    email: str
    fax: str
    remark: str

    @classmethod
    def of(cls, one: Customer) -> "CustomerOutput":
        return cls(
            **_state_of(one),
            number=one.number,
            pin=one.pin,
            name=one.name,
            address=one.address,
            phone=one.phone,
            email=one.email,
            fax=one.fax,
            remark=one.remark,
        )


class BranchUserOutput(RecordState, kw_only=True):
    """Without the password: it is shown to nobody."""

    user_id: str
    name: str
    address: str
    contact: str
    authority: str
    remark: str

    @classmethod
    def of(cls, one: BranchUser) -> "BranchUserOutput":
        return cls(
            **_state_of(one),
            user_id=one.user_id,
            name=one.name,
            address=one.address,
            contact=one.contact,
            authority=one.authority,
            remark=one.remark,
        )


class InsuranceOutput(RecordState, kw_only=True):
    code: str
    name: str
    rate: int

    @classmethod
    def of(cls, one: Insurance) -> "InsuranceOutput":
        return cls(**_state_of(one), code=one.code, name=one.name, rate=one.rate)
