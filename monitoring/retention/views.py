from datetime import datetime
from typing import Annotated, Any

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from companies.views import company_of
from core.api import decode
from core.errors import NotFound
from core.openapi import describe, page_of
from core.views import ListView
from devices.views import bound_device, visible_device
from monitoring.models import LegalHold

from . import holds

Reason = Annotated[str, Meta(min_length=3, max_length=300, description="Kept for the auditor.")]


class HoldInput(Struct, forbid_unknown_fields=True):
    reason: Reason
    device: Annotated[str, Meta(description="Serial; left out: the whole company.")] = ""
    company: Annotated[str, Meta(description="PIN; only for the operator's token.")] = ""


class ReleaseInput(Struct, forbid_unknown_fields=True):
    reason: Reason


class HoldOutput(Struct):
    id: int
    company: str
    device: Annotated[str | None, Meta(description="None: the whole company.")]
    reason: str
    placed_at: datetime
    placed_by: str
    released_at: datetime | None
    released_by: str
    release_reason: str

    @classmethod
    def of(cls, hold: LegalHold) -> "HoldOutput":
        return cls(
            hold.pk, hold.company.pin, hold.device.serial if hold.device else None, hold.reason,
            hold.placed_at, hold.placed_by, hold.released_at, hold.released_by,
            hold.release_reason,
        )  # fmt: skip


class HoldListView(ListView):
    queryset = LegalHold.objects.none()
    scopes = {"GET": Scope.COMPANY_WRITE, "POST": Scope.COMPANY_WRITE}
    filterset_fields = ()

    def get_queryset(self) -> Any:
        mine: Any = LegalHold.objects.visible_to(token_of(self.request))
        return mine.select_related("company", "device").only(
            "reason", "placed_at", "placed_by", "released_at", "released_by", "release_reason",
            "company__pin", "device__serial",
        )  # fmt: skip

    def output(self, row: LegalHold) -> HoldOutput:
        return HoldOutput.of(row)

    @describe("Legal holds, in force and released", answers={200: page_of(HoldOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Place a legal hold: nothing is let go by age any more. Only the operator releases it",
        request=HoldInput,
        answers={201: HoldOutput},
        refusals=(400, 404),
        examples=[
            OpenApiExample(
                "One till", request_only=True,
                value={"device": "dvcv1130", "reason": "KRA audit 2026/114"},
            )
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        data = decode(request, HoldInput)
        token = token_of(request)
        device = visible_device(token, data.device) if data.device else bound_device(token)
        company = device.company if device else company_of(request, data.company)
        hold = holds.place(company, device, reason=data.reason, by=f"token {token.name}"[:150])
        return Response(HoldOutput.of(hold), status=201)


class ReleaseHoldView(APIView):
    scopes = {"POST": Scope.PLATFORM}

    @describe(
        "Release a legal hold; whoever is being looked at cannot do it",
        request=ReleaseInput,
        answers={200: HoldOutput},
        refusals=(400, 404, 409),
        examples=[
            OpenApiExample("Over", request_only=True, value={"reason": "audit 2026/114 is closed"})
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        token = token_of(request)
        hold = LegalHold.objects.visible_to(token).filter(pk=pk).first()
        if hold is None:
            raise NotFound("There is no such hold.")
        data = decode(request, ReleaseInput)
        released = holds.release(hold, reason=data.reason, by=f"token {token.name}"[:150])
        return Response(HoldOutput.of(released))
