"""What every report over days begins with."""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from .subject import Period, Subject


class Head(Struct, frozen=True):
    """Whose figures, of which days, and as they were when."""

    report: str
    trade_name: str
    pin: str
    environment: str
    branch: Annotated[str, Meta(description="Code; empty: all branches.")]
    device: Annotated[str, Meta(description="Serial; empty: all devices.")]
    first: Annotated[date, Meta(description="Day of sale in Nairobi.")]
    last: date
    made_at: datetime


def head_of(report: str, subject: Subject, period: Period, now: datetime) -> Head:
    company = subject.company
    return Head(
        report=report,
        trade_name=company.trade_name or company.name,
        pin=company.pin,
        environment=company.environment,
        branch=subject.branch.code if subject.branch else "",
        device=subject.device.serial if subject.device else "",
        first=period.first,
        last=period.last,
        made_at=now,
    )
