import re
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from core.api import decode
from core.errors import Invalid, Problem
from core.openapi import describe
from sales import acceptance
from sales.baskets import read_basket
from sales.models import ReceiptPrint
from sales.schemas import PreviewInput
from sales.views import SALE_EXAMPLE, AnyAccept, selling_device, visible_invoice

from . import formats, html, printing
from .printing import Handed, Wanted
from .schemas import PrintOutput, PrintsOutput, SpoiledInput
from .words import LANGUAGES, Language

PRINT_ID = re.compile(r"[\x21-\x7e]{1,64}")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
YES_OR_NO = {"": False, "0": False, "false": False, "1": True, "true": True}

LANG = OpenApiParameter("lang", str, enum=LANGUAGES, description="Instead of the company's own.")
PRINT_ID_PARAMETER = OpenApiParameter(
    "print_id",
    str,
    description="The till's own name for this print. Asking again with it within 15 minutes "
    "gives the same paper, for a till whose answer was lost.",
)
ASKING = [
    OpenApiParameter("copy", str, enum=["0", "1"], description="`1`: a copy in any case."),
    PRINT_ID_PARAMETER,
    LANG,
]
SUFFIX = OpenApiParameter("suffix", str, OpenApiParameter.PATH, enum=list(formats.FORMATS))
TEXT = {"type": "string"}
WRITTEN = {"text/plain": TEXT, "text/html": TEXT, "image/svg+xml": TEXT}
KINDS = WRITTEN | {"application/json": {"type": "object"}}
PAPERS: dict[Any, Any] = {
    (200, media_type): KINDS.get(media_type, {"type": "string", "format": "binary"})
    for media_type in formats.MEDIA_TYPES
}
WHO = {"GET": (Scope.SALES_READ, Scope.SALES_WRITE)}


class ReceiptView(APIView):
    scopes = WHO
    content_negotiation_class = AnyAccept

    @describe(
        "The receipt of a signed sale in the format that Accept names",
        answers=PAPERS,
        refusals=(400, 404, 406, 409),
        parameters=ASKING,
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _receipt(request, pk, "")


class ReceiptFileView(APIView):
    scopes = WHO
    content_negotiation_class = AnyAccept

    @describe(
        "The receipt of a signed sale in the format that the suffix names",
        answers=PAPERS,
        refusals=(400, 404, 406, 409),
        parameters=[*ASKING, SUFFIX],
    )
    def get(self, request: Request, pk: int, suffix: str) -> HttpResponse:
        return _receipt(request, pk, suffix)


class SpoiledView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Say that the original's paper was spoiled: the next print is the original again",
        request=SpoiledInput,
        answers={200: PrintOutput},
        refusals=(400, 404, 409),
        examples=[
            OpenApiExample("Jam", request_only=True, value={"reason": "The paper jammed half way."})
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        invoice = visible_invoice(request, pk)
        reason = decode(request, SpoiledInput).reason
        row = printing.spoil(invoice, by=_who(request), reason=reason)
        return Response(PrintOutput.of(row))


class PrintsView(APIView):
    scopes = {"GET": (Scope.SALES_READ, Scope.REPORTS_READ)}

    @describe(
        "Who was handed which receipt of this sale",
        answers={200: PrintsOutput},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        invoice = visible_invoice(request, pk)
        rows = ReceiptPrint.objects.filter(invoice=invoice).order_by("pk")
        return Response(PrintsOutput([PrintOutput.of(row) for row in rows]))


class ProformaView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}
    content_negotiation_class = AnyAccept

    @describe(
        "A proforma (PS) of a basket: computed and printed, neither stored nor sent to KRA",
        request=PreviewInput,
        answers=PAPERS,
        refusals=(400, 404, 406, 409, 413),
        parameters=[PRINT_ID_PARAMETER, LANG],
        examples=[SALE_EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        return _proforma(request, "")


class ProformaFileView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}
    content_negotiation_class = AnyAccept

    @describe(
        "A proforma (PS) in the format that the suffix names",
        request=PreviewInput,
        answers=PAPERS,
        refusals=(400, 404, 406, 409, 413),
        parameters=[PRINT_ID_PARAMETER, LANG, SUFFIX],
        examples=[SALE_EXAMPLE],
    )
    def post(self, request: Request, suffix: str) -> HttpResponse:
        return _proforma(request, suffix)


def _receipt(request: Request, pk: int, suffix: str) -> HttpResponse:
    invoice = visible_invoice(request, pk)
    wanted = _wanted(request, suffix)
    return _answer(printing.hand_out(invoice, wanted), wanted, invoice.reference)


def _proforma(request: Request, suffix: str) -> HttpResponse:
    wanted = _wanted(request, suffix)
    data = decode(request, PreviewInput)
    device = selling_device(request, data.device)
    acceptance.check_device(device)
    basket = read_basket(device.company, data, fresh=True)
    invoice = acceptance.new_invoice(device, data, basket, reference=data.reference)
    handed = printing.hand_out_proforma(invoice, acceptance.new_lines(basket), wanted)
    return _answer(handed, wanted, data.reference)


def _answer(handed: Handed, wanted: Wanted, name: str) -> HttpResponse:
    file_name = f"{UNSAFE.sub('-', name) or 'proforma'}-{handed.label}.{wanted.format.extension}"
    return HttpResponse(
        handed.body,
        content_type=wanted.format.content_type,
        headers={
            "Receipt-Label": handed.label.value,
            "Content-Disposition": f'inline; filename="{file_name}"',
            # What was the original once is a copy the next time.
            "Cache-Control": "no-store",
            "Vary": "Accept",
            "Content-Security-Policy": html.POLICY,
            "X-Content-Type-Options": "nosniff",
        },
    )


def _wanted(request: Request, suffix: str) -> Wanted:
    """Raises Invalid and FormatUnknown."""
    if suffix:
        format = formats.by_suffix(suffix)
    else:
        given = request._request.get_preferred_type(formats.MEDIA_TYPES)
        format = formats.by_media_type(given)
    asked = request.query_params
    is_copy = YES_OR_NO.get(asked.get("copy", ""))
    if is_copy is None:
        raise _wrong("copy", "It is neither 0 nor 1.", "Send copy=1 for a copy.")
    print_id, language = asked.get("print_id", ""), asked.get("lang", "")
    if print_id and not PRINT_ID.fullmatch(print_id):
        raise _wrong("print_id", "Up to 64 visible ASCII characters.", "Shorten or simplify it.")
    if language and language not in LANGUAGES:
        raise _wrong("lang", "Unknown.", f"One of {', '.join(LANGUAGES)}.")
    return Wanted(
        format=format,
        by=_who(request),
        print_id=print_id,
        is_copy=is_copy,
        only_looks=request.method == "HEAD",
        language=cast(Language, language) or None,
    )


def _wrong(field: str, reason: str, next_step: str) -> Invalid:
    return Invalid("The request is not valid.", problems=[Problem(field, reason, next_step)])


def _who(request: Request) -> str:
    token = token_of(request)
    return f"{token.name} ({token.prefix})"
