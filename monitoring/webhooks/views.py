from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from companies.views import company_of
from core.api import decode
from core.errors import Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.views import ListView
from devices.models import Device
from devices.views import bound_device, visible_device
from monitoring.models import Delivery, Endpoint, EventKind

from . import feed, services
from .schemas import (
    DeliveryOutput,
    PingOutput,
    ReplayInput,
    ReplayOutput,
    WebhookChange,
    WebhookInput,
    WebhookOutput,
    delivery_output,
    webhook_output,
)

WRITE = Scope.WEBHOOKS_WRITE
EXAMPLE = OpenApiExample(
    "Signed and refused sales of all tills",
    request_only=True,
    value={
        "url": "https://pos.example.co.ke/etims",
        "events": ["sale.signed", "sale.refused", "sale.conflict"],
        "description": "back office",
    },
)
REPLAY = OpenApiExample(
    "All since the receiver broke",
    request_only=True,
    value={"since": "2026-11-22T08:00:00+03:00"},
)
MOST_EVENTS = 200


def visible_endpoints(request: Request) -> Any:
    mine: Any = Endpoint.objects.visible_to(token_of(request))
    return mine.kept().select_related("device").defer("device__key", "device__init_answer")


def endpoint_of(request: Request, pk: int) -> Endpoint:
    found: Endpoint | None = visible_endpoints(request).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


class WebhookListView(ListView):
    queryset = Endpoint.objects.none()
    scopes = {"GET": WRITE, "POST": WRITE}
    filterset_fields = ("state",)

    def get_queryset(self) -> Any:
        return visible_endpoints(self.request).defer("secret", "previous_secret")

    def output(self, row: Endpoint) -> WebhookOutput:
        return webhook_output(row)

    @describe("Webhooks and how they are", answers={200: page_of(WebhookOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Add a webhook; its secret is shown this once",
        request=WebhookInput,
        answers={201: WebhookOutput},
        refusals=(400, 404, 409),
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, WebhookInput)
        device = _device(request, data)
        company = device.company if device else company_of(request, data.company)
        wish = services.Wish(data.url, list(data.events), data.description, device)
        made, secret = services.create(company, wish)
        return Response(webhook_output(made, secret), status=201)


def _device(request: Request, data: WebhookInput) -> Device | None:
    """The device it is for; a token that is bound to one makes webhooks for that one alone."""
    if data.device:
        return visible_device(token_of(request), data.device)
    return bound_device(token_of(request))


class WebhookView(APIView):
    scopes = {"GET": WRITE, "PATCH": WRITE, "DELETE": WRITE}

    @describe("One webhook", answers={200: WebhookOutput}, refusals=(404,))
    def get(self, request: Request, pk: int) -> Response:
        return Response(webhook_output(endpoint_of(request, pk)))

    @describe(
        "Change it, switch it off, or on again after it was disabled",
        request=WebhookChange,
        answers={200: WebhookOutput},
        refusals=(400, 404),
        examples=[OpenApiExample("On again", request_only=True, value={"is_active": True})],
    )
    def patch(self, request: Request, pk: int) -> Response:
        endpoint = endpoint_of(request, pk)
        data = decode(request, WebhookChange)
        given = {name: getattr(data, name) for name in data.__struct_fields__}
        changes = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        services.change(endpoint, **changes)
        return Response(webhook_output(endpoint_of(request, pk)))

    @describe("Remove it; what waited for it is given up", answers={204: None}, refusals=(404,))
    def delete(self, request: Request, pk: int) -> Response:
        services.delete(endpoint_of(request, pk))
        return Response(status=204)


class RotateSecretView(APIView):
    scopes = {"POST": WRITE}

    @describe(
        "A new secret; the present one signs beside it for a day",
        answers={200: WebhookOutput},
        refusals=(404,),
    )
    def post(self, request: Request, pk: int) -> Response:
        row, secret = services.rotate_secret(endpoint_of(request, pk))
        return Response(webhook_output(row, secret))


class PingView(APIView):
    scopes = {"POST": WRITE}

    @describe(
        "Send a ping now and show what the receiver said",
        answers={200: PingOutput},
        refusals=(404,),
    )
    def post(self, request: Request, pk: int) -> Response:
        return Response(PingOutput.of(services.ping(endpoint_of(request, pk))))


class DeliveryListView(ListView):
    queryset = Delivery.objects.none()
    scopes = {"GET": WRITE}
    filterset_fields = ("state",)

    def get_queryset(self) -> Any:
        rows = Delivery.objects.filter(endpoint=endpoint_of(self.request, self.kwargs["pk"]))
        return rows.select_related("event__invoice")

    def output(self, row: Delivery) -> DeliveryOutput:
        return delivery_output(row)

    @describe(
        "What was sent, how often, and what came back",
        answers={200: page_of(DeliveryOutput)},
        refusals=(400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ReplayView(APIView):
    scopes = {"POST": WRITE}

    @describe(
        "Send again: one delivery, or all that failed since a moment",
        request=ReplayInput,
        answers={202: ReplayOutput},
        refusals=(400, 404, 409),
        examples=[REPLAY],
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoint = endpoint_of(request, pk)
        data = decode(request, ReplayInput)
        if (data.delivery is None) == (data.since is None):
            problem = Problem("since", "One of delivery and since is needed.", "Send one of them.")
            raise Invalid("The request is not valid.", problems=[problem])
        if data.since is not None:
            return Response(ReplayOutput(services.replay_since(endpoint, data.since)), status=202)
        queued = services.replay_one(endpoint, data.delivery or 0)
        if not queued:
            raise NotFound("There is no such delivery.")
        return Response(ReplayOutput(queued), status=202)


class EventFeedView(APIView):
    scopes = {"GET": (Scope.SALES_READ, Scope.SALES_WRITE, WRITE)}

    @describe(
        "What changed since a place: for tills that no webhook can reach",
        answers={200: feed.FeedOutput},
        refusals=(400, 410),
        parameters=[
            OpenApiParameter(
                "after", str, description="'next' of the last answer; 'latest': from now on."
            ),
            OpenApiParameter("wait", float, description="Seconds to wait for something, up to 20."),
            OpenApiParameter("limit", int, description="At most so many events, up to 200."),
            OpenApiParameter("type", str, many=True, description="Only events of these types."),
        ],
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        found = feed.wait(
            token_of(request),
            asked.get("after", ""),
            kinds=_kinds(asked.getlist("type")),
            limit=int(_number(asked, "limit", 50, 1, MOST_EVENTS)),
            seconds=_number(asked, "wait", 0, 0, 3600),
        )
        return Response(found, headers={"Cache-Control": "no-store"})


def _kinds(given: list[str]) -> list[str]:
    unknown = [each for each in given if each not in EventKind.values]
    if unknown:
        step = f"Choose from {', '.join(EventKind.values)}."
        problem = Problem("type", f"Unknown: {unknown[0][:50]!r}", step)
        raise Invalid("The parameter is not valid.", problems=[problem])
    return given


def _number(asked: Any, name: str, default: float, least: float, most: float) -> float:
    text = asked.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = float("nan")
    if value >= least:  # not so for NaN
        return min(value, most)
    problem = Problem(name, f"{text[:50]!r} is not possible.", f"Give {least:g} to {most:g}.")
    raise Invalid("The parameter is not valid.", problems=[problem])
