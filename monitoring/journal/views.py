from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from core.api import JSONRenderer
from core.errors import Invalid, Problem
from core.openapi import describe
from devices.views import check_serial, visible_device

from .export import lines, range_of

NDJSON = "application/x-ndjson"
EXAMPLE = OpenApiExample(
    "The line of one entry",
    value={
        "body": {
            "v": 1,
            "type": "entry",
            "device": {"pin": "A123456789Z", "branch": "00", "serial": "dvcv1130"},
            "sequence": 2,
            "previous": "9f3c…",
            "recorded_at": "2026-11-22T07:15:44.102000Z",
            "key": "4be1…",
            "kind": "call",
            "source": 4711,
            "facts": {"endpoint": "sales_save", "number": 17, "request_sha256": "51aa…"},
        },
        "hash": "0d77…",
        "signature": "c0de…",
    },
    response_only=True,
    media_type=NDJSON,
)


LINES: dict[Any, Any] = {(200, NDJSON): {"type": "string", "contentMediaType": NDJSON}}


class Lines(JSONRenderer):
    """Only says that this form is spoken; the view streams by itself."""

    media_type = NDJSON
    format = "ndjson"


class JournalView(APIView):
    scopes = {"GET": Scope.LOGS_READ}
    renderer_classes = (JSONRenderer, Lines)

    @describe(
        "A device's journal as JSON Lines, for verify_export.py",
        answers=LINES,
        refusals=(400, 404),
        parameters=[
            OpenApiParameter("device", str, required=True, description="Serial."),
            OpenApiParameter("from", datetime, description="Recorded from then on; with a zone."),
            OpenApiParameter("to", datetime, description="Recorded before then; with a zone."),
        ],
        examples=[EXAMPLE],
    )
    def get(self, request: Request) -> Any:
        serial = request.query_params.get("device", "")
        if not serial:
            problem = Problem("device", "It is missing.", "Name the serial of one device.")
            raise Invalid("Whose journal?", problems=[problem])
        check_serial(serial)
        device = visible_device(token_of(request), serial)
        first, last = _moment(request, "from"), _moment(request, "to")
        if first and last and first > last:
            problem = Problem("from", "It is later than `to`.", "Exchange the two.")
            raise Invalid("The period is empty.", problems=[problem])
        wanted = range_of(device, first, last)
        name = f"journal-{wanted.first}-{wanted.last}.jsonl"
        return StreamingHttpResponse(
            (line.encode() for line in lines(wanted)),
            content_type=NDJSON,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    def handle_exception(self, exc: Exception) -> Any:
        """A refusal is JSON, in whatever form the journal was asked for."""
        response = super().handle_exception(exc)
        asked: Any = self.request
        asked.accepted_renderer, asked.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return response


def _moment(request: Request, name: str) -> datetime | None:
    # An address turns the plus of a zone into a space.
    text = request.query_params.get(name, "").replace(" ", "+")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        problem = Problem(
            name, f"{text[:60]!r} is no time with a zone.", "Write 2026-11-22T00:00:00+03:00."
        )
        raise Invalid("The period cannot be read.", problems=[problem])
    return found
