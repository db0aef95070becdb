from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Branding, Company, Scope
from companies.views import company_of
from core.api import decode
from core.errors import NotFound, PayloadTooLarge
from core.openapi import describe

from .schemas import BrandingOutput, BrandingPatch
from .services import branding_of, change_branding, remove_logo, set_logo

SEEN = (Scope.COMPANY_WRITE, Scope.SALES_READ)
COMPANY = OpenApiParameter("company", str, description="PIN; only for the operator's token.")
PICTURES = ("image/png", "image/jpeg", "image/webp")
PICTURE: Any = {kind: {"type": "string", "format": "binary"} for kind in PICTURES}
# Outside of @describe, which knows bodies of JSON.
picture = extend_schema(request=PICTURE)
PNG: dict[Any, Any] = {(200, "image/png"): {"type": "string", "format": "binary"}}
EXAMPLE = OpenApiExample(
    "Kiswahili on an 80 mm roll",
    request_only=True,
    value={
        "header": ["Bidhaa bora, bei nafuu", "Simu 0712 345 678"],
        "footer": ["Asante kwa kununua kwetu"],
        "language": "sw",
        "paper": "80mm",
    },
)


def _company(request: Request) -> Company:
    return company_of(request, request.query_params.get("company", ""))


def _answer(request: Request, branding: Branding) -> Response:
    query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
    return Response(BrandingOutput.of(branding, f"/api/company/branding/logo/{query}"))


class BrandingView(APIView):
    scopes = {"GET": SEEN, "PATCH": Scope.COMPANY_WRITE}

    @describe(
        "How the company's receipts look",
        answers={200: BrandingOutput},
        refusals=(400,),
        parameters=[COMPANY],
    )
    def get(self, request: Request) -> Response:
        return _answer(request, branding_of(_company(request).pk))

    @describe(
        "Change header, footer, language or paper of the receipts",
        request=BrandingPatch,
        answers={200: BrandingOutput},
        refusals=(400, 413),
        parameters=[COMPANY],
        examples=[EXAMPLE],
    )
    def patch(self, request: Request) -> Response:
        data = decode(request, BrandingPatch)
        given = msgspec.structs.asdict(data).items()
        changes = {name: value for name, value in given if value is not msgspec.UNSET}
        return _answer(request, change_branding(_company(request), **changes))


class LogoView(APIView):
    scopes = {"GET": SEEN, "PUT": Scope.COMPANY_WRITE, "DELETE": Scope.COMPANY_WRITE}

    @describe("The logo as it is printed", answers=PNG, refusals=(400, 404), parameters=[COMPANY])
    def get(self, request: Request) -> HttpResponse:
        logo = bytes(branding_of(_company(request).pk).logo)
        if not logo:
            raise NotFound("The company has no logo.", help="PUT one to this address.")
        return HttpResponse(logo, content_type="image/png")

    @picture
    @describe(
        "Replace the logo: PNG, JPEG or WebP, at most 1 MB; kept as a plain PNG",
        answers={200: BrandingOutput},
        refusals=(400, 413, 415),
        parameters=[COMPANY],
    )
    def put(self, request: Request) -> Response:
        return _answer(request, set_logo(_company(request), _picture(request)))

    @describe(
        "Remove the logo", answers={200: BrandingOutput}, refusals=(400,), parameters=[COMPANY]
    )
    def delete(self, request: Request) -> Response:
        return _answer(request, remove_logo(_company(request)))


def _picture(request: Request) -> bytes:
    given = request.content_type or ""
    if given.partition(";")[0].strip().lower() not in PICTURES:
        raise UnsupportedMediaType(given, f"Send the picture itself as one of {list(PICTURES)}.")
    try:
        return request._request.body
    except RequestDataTooBig as exc:
        raise PayloadTooLarge("The logo is larger than 1 MB.") from exc
