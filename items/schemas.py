"""What the API reads and writes about items, lists and stock."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Raw, Struct

from companies.schemas import CompanyPin
from kra.codes import explain
from outbox.models import Status, Transmission

from .models import Classification, Code, Item, StockLevel, StockMovement
from .rows import ItemRow
from .services import Introduction, Shortage, Verdict

MAX_ROWS = 5000
Serial = Annotated[str, Meta(description="Serial of the device; default: the token's own.")]
Reference = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]


class SyncInput(Struct, forbid_unknown_fields=True):
    """`items` are read one by one, so that a fault in one row stops no other."""

    items: Annotated[list[Raw], Meta(max_length=MAX_ROWS)] = []
    lists: Annotated[bool, Meta(description="Pull KRA's lists now.")] = False
    device: Serial = ""
    company: CompanyPin = ""


class SyncInputShape(Struct):
    """`items` are read one by one: a fault in one row stops no other."""

    items: Annotated[list[ItemRow], Meta(max_length=MAX_ROWS)] = []
    lists: Annotated[bool, Meta(description="Pull KRA's lists now.")] = False
    device: Serial = ""
    company: CompanyPin = ""


class SyncSummary(Struct):
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0

    @classmethod
    def of(cls, verdicts: list[Verdict]) -> "SyncSummary":
        summary = cls()
        for one in verdicts:
            setattr(summary, one.verdict, getattr(summary, one.verdict) + 1)
        return summary


class SyncOutput(Struct):
    summary: SyncSummary
    results: list[Verdict]
    codes: Annotated[Introduction, Meta(description="Whether KRA's lists are at hand.")]


class Trouble(Struct):
    """Why KRA has not accepted it, and what a person does next."""

    code: str
    message: str
    help: str

    @classmethod
    def of(cls, row: Transmission | None) -> "Trouble | None":
        if row is None or not row.error_code or row.status == Status.ACCEPTED:
            return None
        help = explain(row.error_code, row.error_message).next_step
        return cls(row.error_code, row.error_message, help)


class ItemOutput(Struct):
    sku: str
    name: str
    code: Annotated[str, Meta(description="KRA's item code; empty until it is first sent.")]
    classification: str
    product_type: str
    packaging_unit: str
    quantity_unit: str
    tax: str
    price: Decimal
    barcode: str
    category: str
    origin_country: str
    is_fiscal: bool
    is_active: bool
    state: Annotated[str, Meta(description="draft, queued, registered or refused.")]
    registered_at: Annotated[
        datetime | None, Meta(description="Since when it can be sold; a later change keeps it.")
    ]
    updated_at: datetime
    trouble: Trouble | None

    @classmethod
    def of(cls, item: Item) -> "ItemOutput":
        return cls(
            sku=item.sku,
            name=item.name,
            code=item.code,
            classification=item.classification,
            product_type=item.get_product_type_display(),
            packaging_unit=item.packaging_unit,
            quantity_unit=item.quantity_unit,
            tax=item.tax_letter,
            price=item.price,
            barcode=item.barcode,
            category=item.category,
            origin_country=item.origin_country,
            is_fiscal=item.is_fiscal,
            is_active=item.is_active,
            state=item.state,
            registered_at=item.registered_at,
            updated_at=item.updated_at,
            trouble=Trouble.of(item.transmission),
        )


class CodeOutput(Struct):
    code: str
    name: str
    description: str
    extra: list[str]
    is_active: bool
    changed_at: datetime

    @classmethod
    def of(cls, code: Code) -> "CodeOutput":
        extra = [code.extra1, code.extra2, code.extra3]
        return cls(
            code.code, code.name, code.description, extra, code.is_active, code.changed_at
        )  # fmt: skip


class CodeClassOutput(Struct):
    class_id: str
    name: str
    synced_at: Annotated[
        datetime | None, Meta(description="When KRA last answered about its codes.")
    ]
    results: list[CodeOutput]


class ClassificationOutput(Struct):
    code: str
    name: str
    level: int
    tax: str
    is_active: bool

    @classmethod
    def of(cls, one: Classification) -> "ClassificationOutput":
        return cls(one.code, one.name, one.level, one.tax_letter, one.is_active)


class StockLineInput(Struct, forbid_unknown_fields=True):
    item: Annotated[str, Meta(min_length=1, max_length=60, description="SKU")]
    quantity: Annotated[Decimal, Meta(description="Above 0; the type says in or out.")]
    unit_price: Annotated[
        Decimal | None, Meta(description="Tax included; default: the item's price.")
    ] = None


class StockInput(Struct, forbid_unknown_fields=True):
    reference: Annotated[Reference, Meta(description="Your own; a repeat books nothing.")]
    type: Annotated[
        str,
        Meta(
            description="opening, import, purchase, transfer_in, processing_in, adjustment_in, "
            "return_to_supplier, processing_out, waste or adjustment_out.",
            examples=["adjustment_in"],
        ),
    ]
    lines: Annotated[list[StockLineInput], Meta(min_length=1, max_length=500)]
    reason: Annotated[str, Meta(max_length=400)] = ""
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    device: Serial = ""
    company: CompanyPin = ""


class MovementLineOutput(Struct):
    item: str
    quantity: Decimal
    unit_price: Decimal


class MovementOutput(Struct):
    id: int
    type: str
    reference: str
    branch: str
    device: str
    occurred_at: datetime
    state: Annotated[str, Meta(description="waiting, queued, accepted or refused.")]
    reason: str
    counterpart: Annotated[str, Meta(description="Of a transfer: the branch on the other side.")]
    lines: list[MovementLineOutput]
    trouble: Trouble | None

    @classmethod
    def of(cls, movement: StockMovement) -> "MovementOutput":
        return cls(
            id=movement.pk,
            type=movement.get_type_display(),
            reference=movement.reference,
            branch=movement.branch.code,
            device=movement.device.serial,
            occurred_at=movement.occurred_at,
            state=movement.state,
            reason=movement.remark,
            counterpart=movement.counterpart.code if movement.counterpart else "",
            lines=[
                MovementLineOutput(line.item.sku, line.quantity, line.unit_price)
                for line in movement.lines.all()
            ],
            trouble=Trouble.of(movement.transmission),
        )


class ShortageOutput(Struct):
    """KRA holds less of the item than is to leave: it may refuse the movement."""

    item: str
    wanted: Decimal
    at_kra: Decimal

    @classmethod
    def of(cls, one: Shortage) -> "ShortageOutput":
        return cls(one.sku, round(one.wanted, 2), round(one.at_kra, 2))


class BookedOutput(Struct):
    movement: MovementOutput
    shortages: list[ShortageOutput]


class LevelOutput(Struct):
    branch: str
    level: Annotated[Decimal, Meta(description="All that was booked here and not refused.")]
    kra_level: Annotated[Decimal, Meta(description="What KRA has accepted so far.")]
    pending: Annotated[Decimal, Meta(description="The difference: KRA has yet to decide.")]

    @classmethod
    def of(cls, one: StockLevel) -> "LevelOutput":
        return cls(one.branch.code, one.level, one.kra_level, one.pending)


class StockOutput(Struct):
    item: str
    name: str
    levels: list[LevelOutput]
