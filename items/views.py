from collections import defaultdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Company, Environment, Scope
from companies.views import company_of
from core.api import ONE_MB, decode
from core.errors import Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView, answered
from devices.models import Device
from devices.views import bound_device

from . import services
from .errors import AmbiguousSku, NoDevice
from .examples import SYNC_EXAMPLE
from .filters import ClassificationFilter, ItemFilter, MovementFilter, StockFilter
from .models import Classification, Code, Item, StockLevel, StockMovement, SyncState
from .models.lists import CLASS_NAMES, CODES
from .rows import read_rows
from .schemas import (
    BookedOutput,
    ClassificationOutput,
    CodeClassOutput,
    CodeOutput,
    ItemOutput,
    LevelOutput,
    MovementOutput,
    ShortageOutput,
    StockInput,
    StockOutput,
    SyncInput,
    SyncInputShape,
    SyncOutput,
    SyncSummary,
)

READERS = (Scope.SALES_READ, Scope.ITEMS_WRITE)


def acting_device(request: Request, company: Company, serial: str) -> Device | None:
    """The device the request names, else the one its token is bound to, else none."""
    bound = bound_device(token_of(request))
    if bound is not None and serial in ("", bound.serial):
        return Device.objects.select_related("company", "branch").get(pk=bound.pk)
    if not serial:
        return None
    devices = Device.objects.visible_to(token_of(request)).filter(company=company, serial=serial)
    device = devices.select_related("company", "branch").first()
    if device is None:
        raise NotFound(f"There is no device {serial!r}.")
    return device


class ItemSyncView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Create or update up to 5,000 items, with a verdict per row; pull KRA's lists",
        request=SyncInputShape,
        answers={200: SyncOutput},
        refusals=(400, 404, 409, 413, 502),
        parameters=[prefer("register new items for up to N seconds (0–30)")],
        examples=[SYNC_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, SyncInput, limit=4 * ONE_MB)
        if not data.items and not data.lists:
            step = 'Send rows in `items`, or `"lists": true`.'
            raise Invalid("Nothing to do.", problems=[Problem("items", "It is empty.", step)])
        company = company_of(request, data.company)
        device = acting_device(request, company, data.device)
        pulled = services.pull_lists(company, device) if data.lists else None
        known = pulled or services.introduce(company, device)
        verdicts = services.sync_items(company, device, read_rows(data.items))
        services.deliver_items(company, verdicts, wait_seconds(request))
        return Response(SyncOutput(SyncSummary.of(verdicts), verdicts, known))


def visible_items(request: Request) -> Any:
    items: Any = Item.objects.visible_to(token_of(request))
    return items.select_related("company", "transmission")


def visible_item(request: Request, sku: str) -> Item:
    found: list[Item] = list(visible_items(request).filter(sku=sku)[:2])
    if not found:
        raise NotFound(f"There is no item {sku!r}.")
    if len(found) > 1:
        # A SKU is unique in a company only, and the operator sees all companies.
        raise AmbiguousSku(f"Several companies have an item {sku!r}.")
    return found[0]


class ItemListView(ListView):
    scopes = {"GET": READERS}
    queryset = Item.objects.none()
    filterset_class = ItemFilter

    def get_queryset(self) -> Any:
        return visible_items(self.request).defer("transmission__body", "transmission__content")

    def output(self, row: Item) -> ItemOutput:
        return ItemOutput.of(row)

    @describe("The catalogue", answers={200: page_of(ItemOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ItemRetryView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Send a refused item again; settle a conflict about item numbers by KRA's own list",
        answers={200: ItemOutput},
        refusals=(404, 409, 502),
    )
    def post(self, request: Request, sku: str) -> Response:
        services.retry_item(visible_item(request, sku))
        return Response(ItemOutput.of(visible_item(request, sku)))


def environments(request: Request) -> list[str]:
    """The token's own environment; the operator sees all."""
    company = token_of(request).company
    return [company.environment] if company else list(Environment.values)


class CodeClassView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "One of KRA's code lists, by number (17) or name (packaging_units)",
        answers={200: CodeClassOutput},
        refusals=(404,),
        parameters=[OpenApiParameter("search", str, description="Words of code or name.")],
    )
    def get(self, request: Request, class_id: str) -> Response:
        number = CLASS_NAMES.get(class_id, class_id)
        rows = Code.objects.filter(environment__in=environments(request), class_id=number)
        codes = list(rows.order_by("environment", "sort", "code"))
        if not codes:
            help = 'POST /api/item/sync/ with {"lists": true} pulls KRA\'s lists.'
            raise NotFound(f"No code list {class_id!r} has been pulled.", help=help)
        words = request.query_params.get("search", "").lower().split()
        found = [CodeOutput.of(code) for code in codes if code.answers_to(words)]
        synced_at = SyncState.objects.synced_at(CODES, environments(request))
        return Response(CodeClassOutput(number, codes[0].class_name, synced_at, found))


class ClassificationListView(ListView):
    scopes = {"GET": READERS}
    queryset = Classification.objects.none()
    filterset_class = ClassificationFilter

    def get_queryset(self) -> Any:
        return Classification.objects.filter(environment__in=environments(self.request))

    def output(self, row: Classification) -> ClassificationOutput:
        return ClassificationOutput.of(row)

    @describe(
        "KRA's classifications; ?search= finds them by code or name",
        answers={200: page_of(ClassificationOutput)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


def device_for(request: Request, company: Company, serial: str) -> Device:
    """The acting device, else the head office's first active one. Raises NoDevice."""
    device = acting_device(request, company, serial)
    if device is None:
        active = Device.objects.filter(company=company, state=Device.State.ACTIVE)
        device = (
            active.filter(branch__is_head_office=True)
            .select_related("company", "branch")
            .order_by("pk")
            .first()
        )
    if device is None:
        raise NoDevice("The head office has no active device, and the request names none.")
    return device


class StockView(ListView):
    scopes = {"GET": READERS, "POST": Scope.ITEMS_WRITE}
    queryset = Item.objects.none()
    filterset_class = StockFilter

    def get_queryset(self) -> Any:
        items: Any = Item.objects.visible_to(token_of(self.request))
        return items.filter(pk__in=StockLevel.objects.values("item"))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        levels = _levels(page)
        rows = [StockOutput(item.sku, item.name, levels[item.pk]) for item in page]
        return self.get_paginated_response(rows)

    @describe(
        "What is on hand, beside what KRA has accepted, per branch",
        answers={200: page_of(StockOutput)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Book goods in or out: opening stock, adjustment, purchase, return to supplier, waste",
        request=StockInput,
        answers={200: BookedOutput, 201: BookedOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, StockInput)
        company = company_of(request, data.company)
        device = device_for(request, company, data.device)
        services.introduce(company, device)
        lines = [services.Ordered(one.item, one.quantity, one.unit_price) for one in data.lines]
        moment = data.occurred_at or timezone.now()
        order = services.Adjustment(data.type, data.reference, lines, data.reason, moment)
        booked = services.adjust_stock(device, order)
        output = BookedOutput(
            MovementOutput.of(booked.movement),
            [ShortageOutput.of(one) for one in booked.shortages],
        )
        return answered(output, is_new=booked.is_new, status=201)


def _levels(items: list[Item]) -> dict[int, list[LevelOutput]]:
    rows = StockLevel.objects.filter(item__in=items).select_related("branch")
    levels = defaultdict(list)
    for row in rows.order_by("branch__code"):
        levels[row.item_id].append(LevelOutput.of(row))
    return levels


def _visible_movements(request: Request) -> Any:
    movements: Any = StockMovement.objects.visible_to(token_of(request))
    return movements.select_related(
        "branch", "device", "counterpart", "transmission"
    ).prefetch_related("lines__item")


class MovementListView(ListView):
    scopes = {"GET": READERS}
    queryset = StockMovement.objects.none()
    filterset_class = MovementFilter

    def get_queryset(self) -> Any:
        return _visible_movements(self.request)

    def output(self, row: StockMovement) -> MovementOutput:
        return MovementOutput.of(row)

    @describe("Stock movements and their state at KRA", answers={200: page_of(MovementOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class MovementRetryView(APIView):
    scopes = {"POST": Scope.ITEMS_WRITE}

    @describe(
        "Send a refused movement again",
        answers={200: MovementOutput},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        movement = _visible_movements(request).filter(pk=pk).first()
        if movement is None:
            raise NotFound("There is no such movement.")
        services.retry_movement(movement)
        return Response(MovementOutput.of(_visible_movements(request).get(pk=pk)))
