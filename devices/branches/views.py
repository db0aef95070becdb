from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Scope
from companies.schemas import CompanyPin
from core.api import decode
from core.errors import Upstream
from core.openapi import describe
from devices.asking import device_to_ask
from kra.codes import explain
from kra.errors import KRAError

from .services import BranchChange, sync_branches

SYNC_EXAMPLE = OpenApiExample(
    "Through a device of the company", request_only=True, value={"device": "dvcv1130"}
)


class BranchSyncInput(Struct, forbid_unknown_fields=True):
    device: Annotated[
        str, Meta(description="Serial; default: the token's own, else an active one.")
    ] = ""
    company: CompanyPin = ""


class BranchSyncOutput(Struct):
    device: Annotated[str, Meta(description="The device that asked.")]
    results: list[BranchChange]


class BranchSyncView(APIView):
    scopes = {"POST": Scope.COMPANY_WRITE}

    @describe(
        "Copy KRA's list of branches: create, update, mark the closed ones; delete none",
        request=BranchSyncInput,
        answers={200: BranchSyncOutput},
        refusals=(400, 404, 409, 502),
        examples=[SYNC_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, BranchSyncInput)
        device = device_to_ask(request, serial=data.device, company=data.company)
        try:
            changes = sync_branches(device)
        except KRAError as error:
            meaning = explain(error.code, error.message)
            raise Upstream(
                f"KRA's branch list was not copied. {error.code}: {meaning.cause}",
                help=f"Nothing was changed. {meaning.next_step}",
            ) from error
        return Response(BranchSyncOutput(device.serial, changes))
