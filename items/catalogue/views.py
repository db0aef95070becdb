"""Single items, tables of them, what keeps them from being sold, and KRA's list beside ours."""

from typing import Any

import msgspec
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Company, Scope
from companies.views import company_of
from core.api import ONE_MB, decode
from core.errors import Invalid, PayloadTooLarge, Problem
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView, answered
from items import services
from items.filters import ItemFilter
from items.models import Item, ItemComponent, ItemDefault
from items.rows import FaultyRow, ItemRow, read_rows
from items.schemas import ItemOutput, SyncSummary
from items.services.catalogue_reconciliation import Reconciled, reconcile
from items.services.defaults import replace_defaults
from items.services.editing import compose, edit_item
from items.services.readiness import not_ready, reasons_of, suggest_classification
from items.services.table import import_items, read_csv
from items.views import (
    READERS,
    acting_device,
    device_for,
    visible_item,
    visible_items,
)
from outbox.waiting import wait_for

from .schemas import (
    COMPOSE_EXAMPLE,
    DEFAULTS_EXAMPLE,
    PATCH_EXAMPLE,
    ComponentInput,
    ComponentOutput,
    CompositionOutput,
    DefaultOutput,
    DefaultsInput,
    DefaultsOutput,
    ItemPatch,
    NotReadyOutput,
    ReconcileInput,
    SuggestionsOutput,
    TableInput,
    TableOutput,
    TableShape,
)

LARGEST_TABLE = 32 * ONE_MB
COMPANY = OpenApiParameter("company", str, description="PIN; only for the operator's token.")


def _company(request: Request) -> Company:
    return company_of(request, request.query_params.get("company", ""))


class ItemView(APIView):
    scopes = {"GET": READERS, "PATCH": Scope.ITEMS_WRITE}

    @describe("One item by its SKU", answers={200: ItemOutput}, refusals=(404,))
    def get(self, request: Request, sku: str) -> Response:
        return Response(ItemOutput.of(visible_item(request, sku)))

    @describe(
        "Change or deactivate one item; KRA is told",
        request=ItemPatch,
        answers={200: ItemOutput},
        refusals=(400, 404),
        examples=[PATCH_EXAMPLE],
    )
    def patch(self, request: Request, sku: str) -> Response:
        item = visible_item(request, sku)
        changes = msgspec.structs.asdict(decode(request, ItemPatch))
        edit_item(item, {k: v for k, v in changes.items() if v is not msgspec.UNSET})
        return Response(ItemOutput.of(visible_item(request, sku)))


class CompositionView(APIView):
    scopes = {"GET": READERS, "POST": Scope.ITEMS_WRITE}

    @describe("What an item is composed of", answers={200: CompositionOutput}, refusals=(404,))
    def get(self, request: Request, sku: str) -> Response:
        item = visible_item(request, sku)
        parts = ItemComponent.objects.filter(parent=item).order_by("pk")
        rows = parts.select_related("component", "transmission")
        return Response(CompositionOutput(sku, [ComponentOutput.of(part) for part in rows]))

    @describe(
        "Say how much of one item is in another, and tell KRA",
        request=ComponentInput,
        answers={200: ComponentOutput, 202: ComponentOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[COMPOSE_EXAMPLE],
    )
    def post(self, request: Request, sku: str) -> Response:
        item = visible_item(request, sku)
        data = decode(request, ComponentInput)
        part, is_new = compose(item, data.component, data.quantity)
        if (seconds := wait_seconds(request)) and part.state == "queued":
            wait_for(part.transmission, seconds)
        fresh = ItemComponent.objects.select_related("component", "transmission").get(pk=part.pk)
        status = 202 if fresh.state == "queued" else 200
        return answered(ComponentOutput.of(fresh), is_new=is_new, status=status)


class ItemImportView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}
    parser_classes = [MultiPartParser]

    @describe(
        "A catalogue of up to 50,000 rows as CSV or JSON, with a verdict per row",
        request=TableShape,
        answers={200: TableOutput},
        refusals=(400, 404, 413),
        parameters=[
            OpenApiParameter("dry_run", bool, description="Store nothing, only say what would be."),
            OpenApiParameter("device", str, description="Whose branch takes opening stock."),
            COMPANY,
        ],
    )
    def post(self, request: Request) -> Response:
        company = _company(request)
        device = acting_device(request, company, request.query_params.get("device", ""))
        dry_run = _flag(request, "dry_run")
        rows = _rows(request)
        if not dry_run:
            services.introduce(company, device)
        verdicts = import_items(company, device, rows, dry_run=dry_run)
        return Response(TableOutput(dry_run, SyncSummary.of(verdicts), verdicts))


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false").lower()
    if value not in ("true", "1", "false", "0"):
        problem = Problem(name, f"{value[:20]!r} is neither true nor false.", "Send true or false.")
        raise Invalid("The request is not valid.", problems=[problem])
    return value in ("true", "1")


def _rows(request: Request) -> list[ItemRow | FaultyRow]:
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return read_csv(_uploaded(request))
    data = _body(request._request)
    if kind == "text/csv":
        return read_csv(data)
    if kind == "application/json" or not data:
        return read_rows(decode(request, TableInput, limit=LARGEST_TABLE).items)
    raise UnsupportedMediaType(kind)


def _uploaded(request: Request) -> bytes:
    file = request.FILES.get("file")
    if file is None:
        step = "Send the CSV file under the name 'file'."
        raise Invalid("There is no file.", problems=[Problem("file", "It is missing.", step)])
    if (file.size or 0) > LARGEST_TABLE:
        raise _too_large()
    data: bytes = file.read()
    return data


def _body(request: HttpRequest) -> bytes:
    """Django refuses to hold more than 4 MB for any other address; here eight times as much."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > LARGEST_TABLE:
        raise _too_large()
    if not hasattr(request, "_body"):
        request._body = request.read(LARGEST_TABLE + 1)
    if len(request.body) > LARGEST_TABLE:
        raise _too_large()
    return request.body


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge("The file is larger than 32 MB.", help="Split it.")


class ItemDefaultsView(APIView):
    scopes = {"GET": READERS, "PUT": Scope.ITEMS_WRITE}

    @describe(
        "What new items of each category take where their rows do not say",
        answers={200: DefaultsOutput},
        refusals=(400,),
        parameters=[COMPANY],
    )
    def get(self, request: Request) -> Response:
        return Response(_defaults(_company(request)))

    @describe(
        "Replace all defaults",
        request=DefaultsInput,
        answers={200: DefaultsOutput},
        refusals=(400,),
        examples=[DEFAULTS_EXAMPLE],
    )
    def put(self, request: Request) -> Response:
        data = decode(request, DefaultsInput)
        company = company_of(request, data.company)
        replace_defaults(company, [msgspec.structs.asdict(one) for one in data.defaults])
        return Response(_defaults(company))


def _defaults(company: Company) -> DefaultsOutput:
    rows = ItemDefault.objects.filter(company=company).order_by("category")
    return DefaultsOutput([DefaultOutput.of(one) for one in rows])


class NotReadyView(ListView):
    scopes = {"GET": READERS}
    queryset = Item.objects.none()
    filterset_class = ItemFilter

    def get_queryset(self) -> Any:
        items = visible_items(self.request)
        return not_ready(items).defer("transmission__body", "transmission__content")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        reasons = reasons_of(page)
        return self.get_paginated_response([NotReadyOutput.of(x, reasons[x.pk]) for x in page])

    @describe("Items that cannot be sold, and why", answers={200: page_of(NotReadyOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class SuggestClassificationView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "KRA classifications that an item of this name may have, the likeliest first",
        answers={200: SuggestionsOutput},
        refusals=(400,),
        parameters=[OpenApiParameter("name", str, required=True), COMPANY],
    )
    def get(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        if not name.strip():
            problem = Problem("name", "It is missing.", "Send ?name= with the item's name.")
            raise Invalid("Which name?", problems=[problem])
        return Response(SuggestionsOutput(suggest_classification(_company(request), name[:200])))


class ReconcileView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Compare the catalogue with KRA's list; take over items that only KRA has",
        request=ReconcileInput,
        answers={200: Reconciled},
        refusals=(400, 404, 409, 502),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, ReconcileInput)
        company = company_of(request, data.company)
        device = device_for(request, company, data.device)
        return Response(reconcile(company, device, adopt=data.adopt))
