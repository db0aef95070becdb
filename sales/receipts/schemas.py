"""What may be said about prints, and what is answered."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from sales.models import ReceiptPrint
from sales.outputs import Money, money
from sales.schemas import Reason


class SpoiledInput(Struct, forbid_unknown_fields=True):
    reason: Annotated[Reason, Meta(examples=["The paper jammed half way."])]


class PrintOutput(Struct):
    """One receipt handed out."""

    id: int
    label: Annotated[str, Meta(description="NS, NC, CS, CC, TS, TC.", examples=["NS"])]
    format: Annotated[str, Meta(examples=["escpos80"])]
    total: Money
    print_id: str
    repeats: Annotated[int, Meta(description="How often its till asked for the same again.")]
    printed_by: Annotated[str, Meta(examples=["Till 3 (etims_Ab12Cd)"])]
    printed_at: datetime
    spoiled_at: datetime | None
    spoiled_by: str
    spoiled_reason: str

    @classmethod
    def of(cls, row: ReceiptPrint) -> "PrintOutput":
        return cls(
            id=row.pk,
            label=row.label,
            format=row.format,
            total=money(row.total),
            print_id=row.print_id,
            repeats=row.repeats,
            printed_by=row.printed_by,
            printed_at=row.printed_at,
            spoiled_at=row.spoiled_at,
            spoiled_by=row.spoiled_by,
            spoiled_reason=row.spoiled_reason,
        )


class PrintsOutput(Struct):
    prints: list[PrintOutput]
