"""A few views that fail in every way there is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import decode
from core.errors import Conflict, Invalid, NotFound, PayloadTooLarge, Problem, Upstream
from core.openapi import describe, page_of
from core.views import ListView

PROBLEM = Problem("lines[2].quantity", "It is negative.", "Send a positive number.")


class Line(msgspec.Struct, forbid_unknown_fields=True):
    quantity: Decimal
    note: str = ""


class Basket(msgspec.Struct, forbid_unknown_fields=True):
    reference: str
    lines: list[Line] = []


class Throttled(exceptions.Throttled):
    def __init__(self) -> None:
        super().__init__(wait=0)


ERRORS: dict[str, Callable[[], Exception]] = {
    "invalid": lambda: Invalid("Two things are wrong.", problems=[PROBLEM]),
    "missing": lambda: NotFound("There is no such thing."),
    "conflict": lambda: Conflict("Not now.", help="Wait for the other request."),
    "large": lambda: PayloadTooLarge("Too large."),
    "body": lambda: RequestDataTooBig("Django's own words"),
    "upstream": lambda: Upstream("KRA is silent."),
    "http404": lambda: Http404("private"),
    "denied": lambda: PermissionDenied("private"),
    "parse": lambda: exceptions.ParseError("Malformed."),
    "fields": lambda: exceptions.ValidationError({"limit": ["Too many.", "Not odd."]}),
    "field": lambda: exceptions.ValidationError({"limit": "Too many."}),
    "list": lambda: exceptions.ValidationError(["Something."]),
    "unauthenticated": exceptions.NotAuthenticated,
    "throttled": Throttled,
    "throttled_for_a_while": lambda: exceptions.Throttled(wait=6.2),
    "gone": lambda: exceptions.APIException("Broken."),
    "suspicious": lambda: SuspiciousOperation("private"),
    "unexpected": lambda: ZeroDivisionError("a secret in a message"),
}


class Plain(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class FailView(Plain):
    def get(self, request: Request, name: str) -> Response:
        raise ERRORS[name]()


class BasketView(Plain):
    @describe("Read a basket", request=Basket, answers={200: Basket, 204: None}, refusals=(400,))
    def post(self, request: Request) -> Response:
        basket: Any = decode(request, Basket)
        return Response({"basket": basket, "amount": Decimal("10.50")})


class SmallView(Plain):
    def post(self, request: Request) -> Response:
        return Response(decode(request, Basket, limit=100))


class Row(msgspec.Struct):
    name: str


class RowListView(Plain, ListView):
    @describe("Rows, newest first", answers={200: page_of(Row)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return Group.objects.all()

    def output(self, row: Any) -> Row:
        return Row(row.name)


class WordlessListView(Plain, ListView):
    queryset = Group.objects.all()
