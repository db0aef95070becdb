"""What the API reads and writes about imports."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct

from companies.schemas import CompanyPin
from items.models import ImportLine
from items.schemas import Trouble
from items.services.imports import BranchPull
from items.services.suggestions import Suggestion

Sku = Annotated[str, Meta(max_length=60, description="SKU of your own item.")]
Remark = Annotated[str, Meta(max_length=400)]


class ImportSyncInput(Struct, forbid_unknown_fields=True):
    everything: Annotated[
        bool, Meta(description="Ask from the beginning, not from the last answer on.")
    ] = False
    device: Annotated[
        str, Meta(description="Ask only for its branch; default: the token's own, else all.")
    ] = ""
    company: CompanyPin = ""


class ImportSyncOutput(Struct):
    branches: list[BranchPull]


class MatchInput(Struct, forbid_unknown_fields=True):
    item: Annotated[str, Meta(min_length=1, max_length=60, examples=["SKU-001"])]


class ApproveInput(Struct, forbid_unknown_fields=True):
    item: Annotated[Sku, Meta(description="Default: the item it is matched to.")] = ""
    quantity: Annotated[
        Decimal | None,
        Meta(description="In the item's unit. Default: KRA's, where the units are the same."),
    ] = None
    unit_price: Annotated[
        Decimal | None, Meta(description="Tax included. Default: the declared value plus tax.")
    ] = None
    remark: Remark = ""


class RejectInput(Struct, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=1, max_length=400, pattern=r"\S")]
    item: Annotated[Sku, Meta(description="KRA wants one; default: the matched one.")] = ""


class ImportOutput(Struct):
    id: int
    branch: str
    task_code: str
    declared_on: Annotated[str, Meta(description="As KRA writes it: its order is not certain.")]
    sequence: int
    declaration_number: str
    hs_code: str
    name: str
    status_code: Annotated[
        str, Meta(description="KRA's: 1 unsent, 2 waiting, 3 approved, 4 cancelled.")
    ]
    origin_country: str
    export_country: str
    packages: Decimal | None
    package_unit: str
    quantity: Decimal | None
    quantity_unit: str
    gross_weight: Decimal | None
    net_weight: Decimal | None
    supplier_name: str
    agent_name: str
    amount: Decimal | None
    currency: str
    exchange_rate: Decimal | None
    state: Annotated[
        str,
        Meta(description="offered, queued, approved, rejected, refused or decided_elsewhere."),
    ]
    decision: Annotated[str, Meta(description="approve, reject, or empty.")]
    item: Annotated[str, Meta(description="SKU that a person chose; empty until then.")]
    stock_quantity: Decimal | None
    stock_price: Decimal | None
    movement: Annotated[int | None, Meta(description="The stock movement it made.")]
    remark: str
    decided_at: datetime | None
    updated_at: datetime
    suggestions: Annotated[list[Suggestion], Meta(description="Never applied by themselves.")]
    trouble: Trouble | None

    @classmethod
    def of(cls, line: ImportLine, suggestions: list[Suggestion]) -> "ImportOutput":
        same = {
            name: getattr(line, name)
            for name in cls.__struct_fields__
            if name not in ("branch", "item", "movement", "suggestions", "trouble")
        }
        return cls(
            **same,
            branch=line.branch.code,
            item=line.item.sku if line.item else "",
            movement=line.movement_id,
            suggestions=suggestions,
            trouble=Trouble.of(line.transmission),
        )


APPROVE_EXAMPLE = OpenApiExample(
    "Twenty laptops that customs weighed",
    request_only=True,
    value={"item": "LAPTOP-14", "quantity": "20", "unit_price": "67570.00"},
)
REJECT_EXAMPLE = OpenApiExample(
    "Not ours",
    request_only=True,
    value={"item": "LAPTOP-14", "reason": "We did not import these goods."},
)
