"""Goods declared at customs: fetch, match, approve or reject."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from companies.views import company_of
from core.api import decode
from core.errors import NotFound
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView, answered
from items.filters import ImportFilter
from items.models import ImportLine
from items.services.import_decisions import (
    Approval,
    Decided,
    approve_import,
    match_import,
    reject_import,
    retry_import,
)
from items.services.imports import sync_imports
from items.services.suggestions import suggest
from items.views import READERS, acting_device
from outbox.waiting import wait_for

from .schemas import (
    APPROVE_EXAMPLE,
    REJECT_EXAMPLE,
    ApproveInput,
    ImportOutput,
    ImportSyncInput,
    ImportSyncOutput,
    MatchInput,
    RejectInput,
)


def _visible(request: Request) -> Any:
    lines: Any = ImportLine.objects.visible_to(token_of(request))
    related = lines.select_related("company", "branch", "item", "transmission")
    return related.defer("transmission__body", "transmission__content")


def _line(request: Request, pk: int) -> ImportLine:
    line: ImportLine | None = _visible(request).filter(pk=pk).first()
    if line is None:
        raise NotFound("There is no such import line.")
    return line


def _output(request: Request, pk: int) -> ImportOutput:
    line = _line(request, pk)
    return ImportOutput.of(line, suggest([line], by_name=True)[pk])


def _decided(request: Request, decided: Decided) -> Response:
    """200 when KRA has answered in the time the caller waits, or on a repeat; else 202."""
    seconds, line = wait_seconds(request), decided.line
    if seconds and line.transmission is not None and line.state == ImportLine.State.QUEUED:
        wait_for(line.transmission, seconds)
    output = _output(request, line.pk)
    status = 202 if output.state == ImportLine.State.QUEUED else 200
    return answered(output, is_new=decided.is_new, status=status)


class ImportListView(ListView):
    scopes = {"GET": READERS}
    queryset = ImportLine.objects.none()
    filterset_class = ImportFilter

    def get_queryset(self) -> Any:
        return _visible(self.request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        suggested = suggest(page)
        return self.get_paginated_response([ImportOutput.of(x, suggested[x.pk]) for x in page])

    @describe("Import lines that KRA listed", answers={200: page_of(ImportOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ImportSyncView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Fetch import lines from KRA, branch by branch, from the last answer on",
        request=ImportSyncInput,
        answers={200: ImportSyncOutput},
        refusals=(400, 404, 409, 502),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, ImportSyncInput)
        company = company_of(request, data.company)
        device = acting_device(request, company, data.device)
        pulls = sync_imports(company, device, everything=data.everything)
        return Response(ImportSyncOutput(pulls))


class ImportView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "One import line, with suggestions of own items",
        answers={200: ImportOutput},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(_output(request, pk))


class ImportMatchView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Say which own item a line is; remembered for the same goods of the same supplier",
        request=MatchInput,
        answers={200: ImportOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        line = _line(request, pk)
        match_import(line, decode(request, MatchInput).item)
        return Response(_output(request, pk))


class ImportApproveView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Approve a line; its goods come into stock once KRA has accepted that",
        request=ApproveInput,
        answers={200: ImportOutput, 202: ImportOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[APPROVE_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        line = _line(request, pk)
        data = decode(request, ApproveInput)
        order = Approval(data.item, data.quantity, data.unit_price, data.remark)
        return _decided(request, approve_import(line, order))


class ImportRejectView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Reject a line, with a reason; no stock moves",
        request=RejectInput,
        answers={200: ImportOutput, 202: ImportOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[REJECT_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        line = _line(request, pk)
        data = decode(request, RejectInput)
        return _decided(request, reject_import(line, reason=data.reason, sku=data.item))


class ImportRetryView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Try a waiting decision now instead of later",
        answers={200: ImportOutput},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        retry_import(_line(request, pk))
        return Response(_output(request, pk))
