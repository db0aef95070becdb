"""What the API reads and answers about Z reports."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct

from sales.models import ZReport
from sales.outputs import Money

from .day import Tally, read_content


class ZInput(Struct, forbid_unknown_fields=True):
    device: Annotated[str, Meta(description="Serial; default: the token's own.")] = ""
    day: Annotated[date | None, Meta(description="Default: today in Nairobi.")] = None
    opening_deposit: Annotated[
        Decimal | None, Meta(description="The cash that lay in the till when the day began.")
    ] = None


class ZSummary(Struct):
    id: int
    number: int
    device: str
    branch: str
    day: date
    closed_at: datetime
    closed_by: str
    sales: Tally
    credit_notes: Tally
    net_total: Money
    sha256: Annotated[str, Meta(description="Of the report's JSON, byte for byte.")]
    link: str

    @classmethod
    def of(cls, z: ZReport) -> "ZSummary":
        report = read_content(z)
        return cls(
            id=z.pk,
            number=z.number,
            device=z.device.serial,
            branch=z.branch.code,
            day=z.day,
            closed_at=z.closed_at,
            closed_by=z.closed_by,
            sales=Tally(report.sales.count, report.sales.total),
            credit_notes=Tally(report.credit_notes.count, report.credit_notes.total),
            net_total=report.net_total,
            sha256=z.sha256,
            link=f"/api/reports/z/{z.pk}/",
        )


Z_EXAMPLE = OpenApiExample(
    "Close today",
    request_only=True,
    value={"device": "dvcv1130", "opening_deposit": "5000.00"},
)
