"""Stock across branches, and beside KRA's."""

from django.db.models import F
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Branch, Company, Scope
from companies.views import company_of
from core.api import decode
from core.errors import NotFound, Problem
from core.openapi import describe
from core.views import answered
from devices.views import bound_device

from . import services
from .models import StockLevel
from .schemas import MovementOutput, ShortageOutput
from .stock_schemas import (
    RECONCILE_EXAMPLE,
    TRANSFER_EXAMPLE,
    PendingOutput,
    ReconcileInput,
    ReconcileOutput,
    TransferInput,
    TransferOutput,
)
from .views import device_for


def _branch(company: Company, code: str, field: str) -> Branch:
    branch = Branch.objects.filter(company=company, code=code).first()
    if branch is None:
        problem = Problem(field, f"There is no branch {code}.", "GET /api/branches/ lists them.")
        raise NotFound(f"There is no branch {code}.", problems=[problem])
    return branch


def _source(request: Request, company: Company, code: str) -> Branch:
    """A till gives away the goods of its own branch only."""
    bound = bound_device(token_of(request))
    if bound is not None and bound.branch.code != code:
        raise NotFound(
            f"There is no branch {code} for this token.",
            problems=[Problem("from_branch", "The token's device is elsewhere.", "Name its own.")],
        )
    return _branch(company, code, "from_branch")


class TransferView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Move goods to another branch of the company: out of the one, into the other",
        request=TransferInput,
        answers={200: TransferOutput, 201: TransferOutput},
        refusals=(400, 404, 409),
        examples=[TRANSFER_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, TransferInput)
        company = company_of(request, data.company)
        source = _source(request, company, data.from_branch)
        target = _branch(company, data.to_branch, "to_branch")
        lines = [services.Ordered(one.item, one.quantity, one.unit_price) for one in data.lines]
        moment = data.occurred_at or timezone.now()
        order = services.Transfer(data.reference, lines, data.reason, moment)
        done = services.transfer_stock(source, target, order)
        output = TransferOutput(
            MovementOutput.of(done.departure),
            MovementOutput.of(done.arrival),
            [ShortageOutput.of(one) for one in done.shortages],
        )
        return answered(output, is_new=done.is_new, status=201)


class ReconcileView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Compare a branch's stock with what KRA lists; nothing is changed",
        request=ReconcileInput,
        answers={200: ReconcileOutput},
        refusals=(400, 404, 409, 502),
        examples=[RECONCILE_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, ReconcileInput)
        device = device_for(request, company_of(request, data.company), data.device)
        asked_at = timezone.now()
        differences = services.reconcile_stock(device)
        levels = StockLevel.objects.filter(branch=device.branch_id).exclude(level=F("kra_level"))
        output = ReconcileOutput(
            branch=device.branch.code,
            device=device.serial,
            asked_at=asked_at,
            is_equal=not differences,
            differences=differences,
            pending=[
                PendingOutput.of(one) for one in levels.select_related("item").order_by("item__sku")
            ],
        )
        return Response(output)
