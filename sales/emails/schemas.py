from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from sales.models import ReceiptEmail
from sales.schemas import EmailAddress


class EmailInput(Struct, forbid_unknown_fields=True):
    address: Annotated[
        EmailAddress, Meta(description="By default the one the sale was made with.")
    ] = ""


class EmailOutput(Struct):
    """One mail with this receipt."""

    id: int
    address: str
    state: Annotated[str, Meta(description="waiting, sending, sent or failed.")]
    label: Annotated[str, Meta(description="NS, CS, …; empty before the first attempt.")]
    attempts: int
    next_attempt_at: datetime | None
    error: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: ReceiptEmail) -> "EmailOutput":
        return cls(
            id=row.pk,
            address=row.address,
            state=row.state,
            label=row.label,
            attempts=row.attempts,
            next_attempt_at=None if row.finished_at else row.not_before,
            error=row.error,
            requested_by=row.requested_by,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


class EmailsOutput(Struct):
    is_on: Annotated[bool, Meta(description="False: no mail server is configured here.")]
    emails: list[EmailOutput]
