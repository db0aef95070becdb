"""What the API reads and writes about webhooks."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from monitoring.models import Delivery, Endpoint

from .sending import Answer

Kind = Literal[
    "sale.signed", "sale.refused", "sale.conflict",
    "credit_note.signed", "credit_note.refused", "credit_note.conflict",
    "device.state",
]  # fmt: skip
Url = Annotated[
    str,
    Meta(min_length=1, max_length=500, examples=["https://pos.example.co.ke/etims"]),
]
Kinds = Annotated[list[Kind], Meta(min_length=1, max_length=20)]
Description = Annotated[str, Meta(max_length=200)]
RowId = Annotated[int, Meta(ge=1, le=9_223_372_036_854_775_807)]


class WebhookInput(Struct, forbid_unknown_fields=True):
    url: Url
    events: Kinds
    description: Description = ""
    device: Annotated[
        str, Meta(max_length=100, description="Serial: only what happens on this device.")
    ] = ""
    company: Annotated[str, Meta(description="PIN; for the operator's token only.")] = ""


class WebhookChange(Struct, forbid_unknown_fields=True):
    url: Url | UnsetType = UNSET
    events: Kinds | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class WebhookOutput(Struct, kw_only=True):
    id: int
    url: str
    events: list[str]
    description: str
    device: str | None
    state: Annotated[str, Meta(description="active or disabled.")]
    state_reason: str
    failures: Annotated[int, Meta(description="In a row; 0 while all is well.")]
    failing_since: datetime | None
    next_try_at: datetime | None
    two_secrets_until: Annotated[
        datetime | None, Meta(description="Until then the secret before the last one signs too.")
    ]
    created_at: datetime
    secret: Annotated[str | None, Meta(description="Only in the answer that made it; keep it.")] = (
        None
    )


def webhook_output(row: Endpoint, secret: str | None = None) -> WebhookOutput:
    return WebhookOutput(
        id=row.pk,
        url=row.url,
        events=row.events,
        description=row.description,
        device=row.device.serial if row.device else None,
        state=row.state,
        state_reason=row.state_reason,
        failures=row.failures,
        failing_since=row.failing_since,
        next_try_at=row.resume_at,
        two_secrets_until=row.previous_until,
        created_at=row.created_at,
        secret=secret,
    )


class DeliveryOutput(Struct, kw_only=True):
    id: int
    event: Annotated[str, Meta(description="The webhook-id header.")]
    type: str
    reference: str
    state: Annotated[str, Meta(description="pending, delivered or failed.")]
    attempts: int
    next_attempt_at: datetime | None
    status: Annotated[int | None, Meta(description="HTTP status of the last attempt.")]
    answer: Annotated[str, Meta(description="How the last answer began.")]
    error: str
    elapsed_ms: int | None
    happened_at: datetime
    finished_at: datetime | None


def delivery_output(row: Delivery) -> DeliveryOutput:
    event = row.event
    waits = row.state == Delivery.State.PENDING
    return DeliveryOutput(
        id=row.pk,
        event=f"evt_{event.key.hex}",
        type=event.kind,
        reference=event.invoice.reference if event.invoice else "",
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if waits else None,
        status=row.last_status,
        answer=row.last_answer,
        error=row.last_error,
        elapsed_ms=row.elapsed_ms,
        happened_at=event.created_at,
        finished_at=row.finished_at,
    )


class ReplayInput(Struct, forbid_unknown_fields=True):
    """One of the two."""

    delivery: RowId | None = None
    # All that failed, or was missed while the webhook was off, since then.
    since: Annotated[datetime, Meta(tz=True)] | None = None


class ReplayOutput(Struct):
    queued: int


class PingOutput(Struct):
    delivered: bool
    status: int | None
    answer: str
    error: str
    elapsed_ms: int

    @classmethod
    def of(cls, answer: Answer) -> "PingOutput":
        return cls(answer.is_success, answer.status, answer.body, answer.error, answer.elapsed_ms)
