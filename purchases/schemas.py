"""What the API reads about purchases."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from companies.schemas import CompanyPin

LineNumber = Annotated[int, Meta(description="Line of the offered invoice, from 1.")]


class SyncInput(Struct, forbid_unknown_fields=True):
    branch: Annotated[str, Meta(max_length=2, description="Code; default: all branches.")] = ""
    company: CompanyPin = ""


class MatchLine(Struct, forbid_unknown_fields=True):
    line: LineNumber
    item: Annotated[
        Annotated[str, Meta(max_length=60)] | None,
        Meta(description="SKU of yours; null takes the match back."),
    ]


class MatchInput(Struct, forbid_unknown_fields=True):
    lines: Annotated[
        list[MatchLine], Meta(max_length=999, description="None: look again by what is known.")
    ] = []
    remember: Annotated[bool, Meta(description="For the supplier's next invoices.")] = True


class ConfirmLine(Struct, forbid_unknown_fields=True):
    line: LineNumber
    quantity: Annotated[
        Decimal | None, Meta(description="At most what was offered; default: all of it.")
    ] = None


class ConfirmInput(Struct, forbid_unknown_fields=True):
    lines: Annotated[
        list[ConfirmLine], Meta(max_length=999, description="None: the whole invoice.")
    ] = []


class RejectInput(Struct, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=3, max_length=400)]
