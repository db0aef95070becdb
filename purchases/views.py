from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Branch, Company, Scope
from companies.views import company_of
from core.api import decode
from core.errors import Invalid, NotFound, Problem, Upstream
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView
from devices.views import bound_device
from items.errors import NoDevice
from outbox.waiting import wait_for

from . import services
from .filters import PurchaseFilter
from .models import Purchase
from .outputs import (
    PurchaseDetail,
    PurchaseOutput,
    SyncOutput,
    purchase_detail,
    purchase_output,
)
from .schemas import ConfirmInput, MatchInput, RejectInput, SyncInput
from .syncing import sync_branches

READERS = (Scope.PURCHASES_READ, Scope.PURCHASES_WRITE)
SYNC_EXAMPLE = OpenApiExample("The head office", request_only=True, value={"branch": "00"})
MATCH_EXAMPLE = OpenApiExample(
    "Line 1 is our kettle",
    request_only=True,
    value={"lines": [{"line": 1, "item": "SKU-001"}], "remember": True},
)
CONFIRM_EXAMPLE = OpenApiExample(
    "Three of line 1, all of line 2",
    request_only=True,
    value={"lines": [{"line": 1, "quantity": "3"}, {"line": 2}]},
)
REJECT_EXAMPLE = OpenApiExample(
    "Not ours", request_only=True, value={"reason": "We never ordered this."}
)


def visible_purchases(request: Request) -> Any:
    purchases: Any = Purchase.objects.visible_to(token_of(request))
    return purchases.whole()


def visible_purchase(request: Request, pk: int) -> Purchase:
    purchase: Purchase | None = visible_purchases(request).filter(pk=pk).first()
    if purchase is None:
        raise NotFound("There is no such purchase.")
    return purchase


def shown(request: Request, pk: int, *, status: int = 200) -> Response:
    return Response(purchase_detail(visible_purchase(request, pk)), status=status)


class PurchaseListView(ListView):
    scopes = {"GET": READERS}
    queryset = Purchase.objects.none()
    filterset_class = PurchaseFilter

    def get_queryset(self) -> Any:
        return visible_purchases(self.request)

    def output(self, row: Purchase) -> PurchaseOutput:
        return purchase_output(row)

    @describe("What suppliers say that you bought", answers={200: page_of(PurchaseOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class SyncView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Ask KRA now what suppliers have declared, branch by branch",
        request=SyncInput,
        answers={200: SyncOutput},
        refusals=(400, 404, 409, 502),
        examples=[SYNC_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, SyncInput)
        company = company_of(request, data.company)
        branches = sync_branches(_branches(request, company, data.branch))
        failed = [one for one in branches if one.state == "failed"]
        if all(one.state == "skipped" for one in branches):
            raise NoDevice("None of these branches has an active device.")
        if failed and not any(one.state == "synced" for one in branches):
            problems = [Problem("branch", f"{x.branch}: {x.detail}", "Try later.") for x in failed]
            raise Upstream("KRA gave no usable answer.", problems=problems)
        return Response(SyncOutput(branches))


def _branches(request: Request, company: Company, code: str) -> list[Branch]:
    branches = Branch.objects.filter(company=company).order_by("code")
    bound = bound_device(token_of(request))
    if bound is not None:
        branches = branches.filter(pk=bound.branch_id)
    if code:
        branches = branches.filter(code=code)
    found = list(branches)
    if not found:
        raise NotFound(f"There is no branch {code!r}.")
    return found


class PurchaseView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "One offered invoice with its lines, matches and suggestions",
        answers={200: PurchaseDetail},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        return shown(request, pk)


class MatchView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Say which items of yours the lines stand for; remembered for this supplier",
        request=MatchInput,
        answers={200: PurchaseDetail},
        refusals=(400, 404, 409),
        examples=[MATCH_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        purchase = visible_purchase(request, pk)
        data = decode(request, MatchInput)
        choices = [services.Choice(one.line, one.item or "") for one in data.lines]
        services.match(purchase.pk, choices, remember=data.remember)
        return shown(request, pk)


class ConfirmView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Confirm an invoice in full or in part: 202 on its way, 200 KRA has answered",
        request=ConfirmInput,
        answers={200: PurchaseDetail, 202: PurchaseDetail},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[CONFIRM_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        purchase = visible_purchase(request, pk)
        data = decode(request, ConfirmInput)
        wanted = [services.Wanted(one.line, one.quantity) for one in data.lines]
        row = services.confirm(purchase.pk, wanted)
        seconds = wait_seconds(request)
        if seconds:
            row = wait_for(row, seconds)
        return shown(request, pk, status=200 if row.is_settled else 202)


class RejectView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Leave an invoice unconfirmed, with a reason; KRA is told nothing",
        request=RejectInput,
        answers={200: PurchaseDetail},
        refusals=(400, 404, 409),
        examples=[REJECT_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        purchase = visible_purchase(request, pk)
        reason = decode(request, RejectInput).reason.strip()
        if not reason:
            problem = Problem("reason", "It is blank.", "Say why it is left.")
            raise Invalid("The request is not valid.", problems=[problem])
        services.reject(purchase.pk, reason=reason)
        return shown(request, pk)


class ReopenView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Take a rejected invoice up again",
        answers={200: PurchaseDetail},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        services.reopen(visible_purchase(request, pk).pk)
        return shown(request, pk)


class RetryView(APIView):
    scopes = {"POST": Scope.PURCHASES_WRITE}

    @describe(
        "Try to send a confirmation now instead of later",
        answers={200: PurchaseDetail},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        services.retry(visible_purchase(request, pk))
        return shown(request, pk)
