"""One exchange with KRA, as people read it."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from devices.models import Call
from kra.codes import explain


class Explanation(Struct):
    label: str
    cause: str
    next_step: str
    next_step_sw: Annotated[str, Meta(description="The next step in Kiswahili.")]


class LogOutput(Struct):
    id: int
    device: str
    endpoint: str
    reference: str
    number: Annotated[int | None, Meta(description="The number that was sent, if it has one.")]
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    elapsed_ms: int | None
    http_status: int | None
    outcome: Annotated[
        str,
        Meta(
            description="accepted, empty, rejected, unknown, unavailable, device_refused, "
            "unreadable; open: no answer was recorded (yet)."
        ),
    ]
    code: Annotated[str, Meta(description="KRA's result code, or a word for what went wrong.")]
    reason: str
    explanation: Explanation | None
    request_id: str


class LogDetail(LogOutput):
    request: Annotated[
        str, Meta(description="As sent; secrets were masked when it was stored.")
    ] = ""
    answer: Annotated[str, Meta(description="As it came; secrets masked.")] = ""
    pruned_at: Annotated[
        datetime | None,
        Meta(description="Both bodies were emptied by age then; the journal has their SHA-256."),
    ] = None


def log_output(call: Call) -> LogOutput:
    return LogOutput(
        id=call.pk,
        device=call.device.serial,
        endpoint=call.endpoint,
        reference=call.reference,
        number=call.number,
        attempt=call.attempt,
        started_at=call.started_at,
        finished_at=call.finished_at,
        elapsed_ms=call.elapsed_ms,
        http_status=call.http_status,
        outcome=call.outcome or "open",
        code=call.code,
        reason=call.reason,
        explanation=explanation_of(call.code, call.reason),
        request_id=call.request_id,
    )


def log_detail(call: Call) -> LogDetail:
    output = log_output(call)
    shared = {name: getattr(output, name) for name in output.__struct_fields__}
    return LogDetail(**shared, request=call.request, answer=call.answer, pruned_at=call.pruned_at)


def explanation_of(code: str, message: str = "") -> Explanation | None:
    """None when there is no code: nothing was answered, so nothing can be explained."""
    if not code:
        return None
    found = explain(code, message)
    return Explanation(found.label, found.cause, found.next_step, found.next_step_sw)
