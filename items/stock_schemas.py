"""What the API reads and writes about transfers and KRA's stock."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct

from companies.schemas import CompanyPin

from .models import StockLevel
from .schemas import MovementOutput, Reference, Serial, ShortageOutput, StockLineInput
from .services import Difference

BranchCode = Annotated[str, Meta(pattern=r"^\d{2}$", description="KRA's code of the branch.")]


class TransferInput(Struct, forbid_unknown_fields=True):
    reference: Annotated[
        Reference, Meta(description="Your own, unique per branch; a repeat moves nothing.")
    ]
    from_branch: BranchCode
    to_branch: BranchCode
    lines: Annotated[list[StockLineInput], Meta(min_length=1, max_length=500)]
    reason: Annotated[str, Meta(max_length=400)] = ""
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    company: CompanyPin = ""


class TransferOutput(Struct):
    departure: MovementOutput
    arrival: Annotated[
        MovementOutput, Meta(description="Waits until KRA has accepted the departure.")
    ]
    shortages: list[ShortageOutput]


TRANSFER_EXAMPLE = OpenApiExample(
    "Five kettles to the shop in Thika",
    request_only=True,
    value={
        "reference": "TRANSFER-0007",
        "from_branch": "00",
        "to_branch": "01",
        "lines": [{"item": "SKU-001", "quantity": "5"}],
        "reason": "Thika is out of kettles",
    },
)


class ReconcileInput(Struct, forbid_unknown_fields=True):
    device: Serial = ""
    company: CompanyPin = ""


class PendingOutput(Struct):
    item: str
    level: Decimal
    kra_level: Decimal
    pending: Decimal

    @classmethod
    def of(cls, one: StockLevel) -> "PendingOutput":
        return cls(one.item.sku, one.level, one.kra_level, one.pending)


class ReconcileOutput(Struct):
    branch: str
    device: str
    asked_at: datetime
    is_equal: Annotated[bool, Meta(description="No differences; goods under way are none.")]
    differences: list[Difference]
    pending: Annotated[list[PendingOutput], Meta(description="Levels KRA has yet to hear of.")]


RECONCILE_EXAMPLE = OpenApiExample(
    "The branch of one device", request_only=True, value={"device": "dvcv1130"}
)
