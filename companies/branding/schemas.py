"""What the API reads and writes about branding."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from companies.models import FOOTER_LINES, HEADER_LINES, LINE_CHARACTERS, Branding

Line = Annotated[str, Meta(max_length=LINE_CHARACTERS)]


class BrandingPatch(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    header: Annotated[list[Line], Meta(max_length=HEADER_LINES)] | UnsetType = UNSET
    footer: Annotated[list[Line], Meta(max_length=FOOTER_LINES)] | UnsetType = UNSET
    language: Literal["en", "sw"] | UnsetType = UNSET
    paper: Literal["a4", "80mm", "58mm"] | UnsetType = UNSET


class LogoOutput(Struct):
    width: int
    height: int
    bytes: int
    url: str


class BrandingOutput(Struct):
    header: Annotated[list[str], Meta(description="Lines above the receipt.")]
    footer: Annotated[list[str], Meta(description="Lines below the receipt.")]
    language: Annotated[str, Meta(description="Of the receipts: en or sw.")]
    paper: Annotated[str, Meta(description="For PDF and ESC/POS: a4, 80mm or 58mm.")]
    logo: LogoOutput | None
    updated_at: datetime | None

    @classmethod
    def of(cls, branding: Branding, logo_url: str) -> "BrandingOutput":
        size = len(branding.logo)
        logo = LogoOutput(branding.logo_width, branding.logo_height, size, logo_url)
        return cls(
            header=branding.header,
            footer=branding.footer,
            language=branding.language,
            paper=branding.paper,
            logo=logo if size else None,
            updated_at=branding.updated_at,
        )
