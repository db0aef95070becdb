"""Each request and answer of a case as a JSON file. The rows were masked when they were stored."""

from pathlib import Path
from typing import Any

import msgspec

from devices.models import Call, Device
from kra.masking import HIDDEN
from kra.profiles import ENDPOINTS

from .cases import Case, place_of
from .context import Context
from .state import Result, write

FOLDER = "calls"


def file_name(case: Case, call: Call) -> str:
    return f"{place_of(case)}-{case.id}-{call.pk}-{call.endpoint}.json"


def lay_out(ctx: Context, case: Case, result: Result, folder: Path) -> None:
    calls = Call.objects.filter(pk__in=result.calls).select_related("device").order_by("pk")
    keys = Device.objects.filter(company=ctx.company).exclude(key="")
    secrets = [device.key for device in keys]
    for call in calls:
        body = msgspec.json.format(msgspec.json.encode(_content(ctx, case, call)), indent=2)
        for secret in secrets:
            body = body.replace(secret.encode(), HIDDEN.encode())
        write(folder / FOLDER / file_name(case, call), body)


def _content(ctx: Context, case: Case, call: Call) -> dict[str, Any]:
    endpoint = ENDPOINTS[call.endpoint]
    direct = ctx.company.profile == "direct"
    return {
        "case": case.id,
        "endpoint": call.endpoint,
        "path": endpoint.path_direct if direct else endpoint.path_gavaconnect,
        "device": call.device.serial,
        "reference": call.reference,
        "number": call.number,
        "started_at": call.started_at,
        "elapsed_ms": call.elapsed_ms,
        "http_status": call.http_status,
        "outcome": call.outcome or "open",
        "code": call.code,
        "reason": call.reason,
        "request": _document(call.request),
        "answer": _document(call.answer),
    }


def _document(text: str) -> Any:
    """JSON as it came, to the digit; else the text."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return msgspec.Raw(text.encode())
