from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiExample
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import decode
from core.errors import Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.views import ListView

from . import services
from .authentication import token_of
from .models import ApiToken, Branch, Company, Member, Scope
from .schemas import (
    BranchInput,
    BranchOutput,
    CompanyOutput,
    MemberInput,
    MemberOutput,
    MemberPatch,
    OnboardInput,
    OnboardOutput,
    TokenInput,
    TokenOutput,
)

ONBOARD_EXAMPLE = OpenApiExample(
    "A shop on the simulator",
    request_only=True,
    value={
        "pin": "A123456789Z",
        "name": "Baraka Stores",
        "environment": "simulator",
        "profile": "direct",
        "head_office": {"code": "00", "name": "Head office", "address": "Moi Avenue, Nairobi"},
    },
)


def company_of(request: Request, pin: str = "") -> Company:
    """The company a write acts for: the token's own, or the one the operator names by PIN."""
    own = token_of(request).company
    if own is not None:
        return own
    company = Company.objects.filter(pin=pin).first() if pin else None
    if company is None:
        problem = Problem("company", "The operator's token belongs to no company.", "Name its PIN.")
        raise Invalid("Which company?", problems=[problem])
    return company


class OnboardView(APIView):
    scopes = {"POST": Scope.PLATFORM}

    @describe(
        "Onboard a company: taxpayer, head office and first token",
        request=OnboardInput,
        answers={201: OnboardOutput},
        refusals=(400, 409),
        examples=[ONBOARD_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, OnboardInput)
        company, branch, secret = services.onboard_company(
            pin=data.pin,
            name=data.name,
            trade_name=data.trade_name,
            environment=data.environment,
            profile=data.profile,
            head_office=msgspec.structs.asdict(data.head_office),
            gateway=msgspec.structs.asdict(data.gateway) if data.gateway else None,
        )
        output = OnboardOutput(
            company=CompanyOutput.of(company),
            branch=BranchOutput.of(branch),
            token=secret,
            next_step="POST /api/device/init/ with the serial that KRA approved; "
            "KRA's answer verifies the PIN.",
        )
        return Response(output, status=201)


class CompanyListView(ListView):
    queryset = Company.objects.none()
    scopes = {"GET": (Scope.COMPANY_WRITE, Scope.SALES_READ, Scope.REPORTS_READ)}
    filterset_fields = ("pin", "environment")

    def get_queryset(self) -> Any:
        return Company.objects.visible_to(token_of(self.request))

    def output(self, row: Company) -> CompanyOutput:
        return CompanyOutput.of(row)

    @describe("The companies this token may see", answers={200: page_of(CompanyOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class BranchListView(ListView):
    queryset = Branch.objects.none()
    scopes = {"GET": (Scope.COMPANY_WRITE, Scope.SALES_READ), "POST": Scope.COMPANY_WRITE}
    filterset_fields = ("code",)

    def get_queryset(self) -> Any:
        return Branch.objects.visible_to(token_of(self.request))

    def output(self, row: Branch) -> BranchOutput:
        return BranchOutput.of(row)

    @describe("The company's branches", answers={200: page_of(BranchOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Add a branch that KRA has registered",
        request=BranchInput,
        answers={201: BranchOutput},
        refusals=(400, 409),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, BranchInput)
        branch = services.add_branch(
            company=company_of(request), code=data.code, name=data.name, address=data.address
        )
        return Response(BranchOutput.of(branch), status=201)


class TokenListView(ListView):
    queryset = ApiToken.objects.none()
    scopes = {"GET": Scope.COMPANY_WRITE, "POST": Scope.COMPANY_WRITE}

    def get_queryset(self) -> Any:
        return ApiToken.objects.visible_to(token_of(self.request)).select_related("device")

    def output(self, row: ApiToken) -> TokenOutput:
        return TokenOutput.of(row)

    @describe("The company's tokens, without their secrets", answers={200: page_of(TokenOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Make a token; its secret is shown only in this answer",
        request=TokenInput,
        answers={201: TokenOutput},
        refusals=(400, 403, 404),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, TokenInput)
        company = company_of(request, data.company)
        token, secret = services.issue_token(
            company=company,
            name=data.name,
            scopes=data.scopes,
            device=self._device(token_of(request), company, data.device),
            expires_at=data.expires_at,
        )
        return Response(TokenOutput.of(token, secret), status=201)

    def _device(self, maker: ApiToken, company: Company, serial: str) -> Any:
        bound = maker.device
        if bound is not None and bound.serial != serial:
            raise PermissionDenied("A token of one device makes tokens for that device alone.")
        if not serial:
            return None
        # Through the field, because this app does not import devices.
        devices: Any = ApiToken._meta.get_field("device").related_model
        device = devices.objects.filter(company=company, serial=serial).first()
        if device is None:
            raise NotFound(f"There is no device {serial!r}.")
        return device


class TokenView(APIView):
    scopes = {"DELETE": Scope.COMPANY_WRITE}

    @describe("Revoke a token", answers={204: None}, refusals=(404,))
    def delete(self, request: Request, pk: int) -> Response:
        token = ApiToken.objects.visible_to(token_of(request)).filter(pk=pk).first()
        if token is None:
            raise NotFound("There is no such token.")
        services.revoke_token(token)
        return Response(status=204)


class MemberListView(ListView):
    queryset = Member.objects.none()
    scopes = {"GET": Scope.COMPANY_WRITE, "POST": Scope.COMPANY_WRITE}

    def get_queryset(self) -> Any:
        return Member.objects.visible_to(token_of(self.request)).select_related("user")

    def output(self, row: Member) -> MemberOutput:
        return MemberOutput.of(row)

    @describe("The people who act for the company", answers={200: page_of(MemberOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Give a person a role",
        request=MemberInput,
        answers={201: MemberOutput},
        refusals=(400, 409),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, MemberInput)
        member = services.add_member(
            company=company_of(request),
            username=data.username,
            role=data.role,
            email=data.email,
            password=data.password,
        )
        return Response(MemberOutput.of(member), status=201)


class MemberView(APIView):
    scopes = {"PATCH": Scope.COMPANY_WRITE, "DELETE": Scope.COMPANY_WRITE}

    @describe(
        "Give a person another role; a company keeps at least one owner",
        request=MemberPatch,
        answers={200: MemberOutput},
        refusals=(400, 404, 409),
        examples=[OpenApiExample("Now a manager", request_only=True, value={"role": "manager"})],
    )
    def patch(self, request: Request, pk: int) -> Response:
        data = decode(request, MemberPatch)
        return Response(MemberOutput.of(services.change_role(self._member(request, pk), data.role)))

    @describe("Take a person's role away", answers={204: None}, refusals=(404, 409))
    def delete(self, request: Request, pk: int) -> Response:
        services.remove_member(self._member(request, pk))
        return Response(status=204)

    def _member(self, request: Request, pk: int) -> Member:
        member = Member.objects.visible_to(token_of(request)).filter(pk=pk).first()
        if member is None:
            raise NotFound("There is no such member.")
        return member
