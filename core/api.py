"""The manners every endpoint shares: reading JSON, answering errors, paging."""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions, pagination, renderers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from .errors import DomainError, Invalid, KeysMissing, NotFound, PayloadTooLarge, Problem
from .faults import fault_of

T = TypeVar("T")
ONE_MB = 1_048_576
log = logging.getLogger(__name__)

# PostgreSQL holds no NUL. An even number of backslashes before the escape are only backslashes.
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# Line breaks and other controls would forge lines on a receipt. Most bodies skip the walk.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SUSPECT = re.compile(rb"\\[bfnrtu]|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
# PostgreSQL takes no offset of sixteen hours or more.
FAR_OFFSET = re.compile(rb"[+-](?:1[6-9]|2[0-3])[:0-5]")

STEP = "Correct this parameter; /api/docs/ shows what it takes."
HELP = {
    400: "Correct the request and send it again.",
    401: "Send the header 'Authorization: Token <your token>'.",
    403: "Ask the company's owner for a token with this scope.",
    404: NotFound.help,
    405: "See /api/docs/ for what this address accepts.",
    406: "Send 'Accept: application/json', or leave it out.",
    415: "Send 'Content-Type: application/json'.",
    429: "Wait for the number of seconds in the Retry-After header.",
}


def decode(request: Request, type_: type[T], *, limit: int = ONE_MB) -> T:
    """The request's JSON as a typed struct, of at most `limit` bytes. Raises Invalid,
    PayloadTooLarge, and UnsupportedMediaType for a body that does not call itself JSON.
    """
    return parse(_body(request, limit), type_)


def parse(body: bytes, type_: type[T]) -> T:
    """JSON as a typed struct, wherever it comes from. Raises Invalid, naming the field."""
    try:
        if NUL.search(body):
            raise msgspec.DecodeError("A text holds the character NUL")
        data = msgspec.json.decode(body, type=type_)
        _UNIQUE.decode(body.decode())
        if FAR_OFFSET.search(body):
            _to_utc(data)
    except msgspec.ValidationError as exc:
        raise Invalid("The request is not valid.", problems=[fault_of(str(exc), type_)]) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Invalid(
            "The body is not valid JSON.", problems=[Problem("", str(exc), "Send one JSON object.")]
        ) from exc
    problems = list(_controls(data, "")) if SUSPECT.search(body) else []
    if problems:
        raise Invalid("The request is not valid.", problems=problems)
    return data


def _to_utc(node: Any) -> None:
    """The same moments, written as PostgreSQL reads them. Few bodies come here."""
    for each in node if isinstance(node, list) else ():
        _to_utc(each)
    for name in node.__struct_fields__ if isinstance(node, msgspec.Struct) else ():
        value = getattr(node, name)
        if isinstance(value, datetime):
            msgspec.structs.force_setattr(node, name, in_utc(value))
        else:
            _to_utc(value)


def in_utc(moment: datetime) -> datetime:
    """Raises Invalid at the very ends of the calendar."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        problem = Problem("", f"There is no such moment: {moment}.", "Give a time of this century.")
        raise Invalid("A time is not valid.", problems=[problem]) from exc


def _body(request: Request, limit: int) -> bytes:
    try:
        body = request._request.body
    except RequestDataTooBig as exc:
        raise PayloadTooLarge("The request body is too large.") from exc
    if len(body) > limit:
        raise PayloadTooLarge(f"The request body is larger than {limit // ONE_MB} MB.")
    given = request.content_type or ""
    if body and given.partition(";")[0].strip().lower() != "application/json":
        raise exceptions.UnsupportedMediaType(given)
    return body


def _once(pairs: list[tuple[str, Any]]) -> None:
    """msgspec takes the last of two equal names; whoever reads the first is deceived."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            problem = Problem(name, "This field is given twice.", "Send it once.")
            raise Invalid("The request is not valid.", problems=[problem])
        seen.add(name)


# Numbers stay text: their digits cost nothing here, however many there are.
_UNIQUE = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def _controls(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, str) and CONTROL.search(value):
        step = "Remove line breaks, tabs and zero bytes."
        yield Problem(path, "It holds control characters.", step)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _controls(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _controls(each, f"{path}[{place}]")


class JSONRenderer(renderers.BaseRenderer):
    """JSON by msgspec: Decimals as strings, structs as objects."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


class Negotiation(DefaultContentNegotiation):
    """DRF's own, but for the request that takes anything or our one type: most do."""

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        only, *others = renderers
        takes_it = request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", only.media_type)
        if takes_it and not others and not format_suffix and not request.META["QUERY_STRING"]:
            return only, only.media_type
        chosen: tuple[Any, str] = super().select_renderer(request, renderers, format_suffix)
        return chosen


def error_body(code: str, message: str, detail: Any = None, help: str = "") -> dict[str, Any]:
    more = f"{help} More: {_page_of(code)}".strip()
    return {"error": {"code": code, "message": message, "detail": detail or [], "help": more}}


def _page_of(code: str) -> str:
    """Where cause and fix stand, in English and Kiswahili."""
    site = settings.DOCS_URL
    return f"{site}/errors.html#{code}" if site else f"docs/errors.md#{code}"


def detail_of(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"field": p.field, "reason": p.reason, "next_step": p.next_step} for p in problems]


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """One shape for every refusal. An unexpected exception stays a 500 with its traceback."""
    if isinstance(exc, RequestDataTooBig):
        exc = PayloadTooLarge("The request body is larger than 1 MB.")
    if isinstance(exc, InvalidToken):
        log.critical("ENCRYPTION_KEYS does not hold the key of what is stored", exc_info=exc)
        exc = KeysMissing("What is stored here cannot be read with the keys configured now.")
    if isinstance(exc, DomainError):
        detail = detail_of(exc.problems)
        return Response(error_body(exc.code, exc.message, detail, exc.help), status=exc.status)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.APIException):
        return _from_drf(exc)
    return None


def _from_drf(exc: exceptions.APIException) -> Response:
    headers = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
    if getattr(exc, "wait", None) is not None:
        headers["Retry-After"] = str(int(exc.wait) + 1)  # type: ignore[attr-defined]
    code = exc.get_codes() if isinstance(exc.detail, str) else exc.default_code
    detail = None if isinstance(exc.detail, str) else _fields(exc.detail)
    message = str(exc.detail) if isinstance(exc.detail, str) else str(exc.default_detail)
    help = HELP.get(exc.status_code, "")
    return Response(
        error_body(str(code), message, detail, help), status=exc.status_code, headers=headers
    )


def _fields(detail: Any) -> list[dict[str, str]]:
    pairs = detail.items() if isinstance(detail, dict) else [("", detail)]
    return [
        {"field": str(name), "reason": str(reason), "next_step": STEP}
        for name, reasons in pairs
        for reason in (reasons if isinstance(reasons, list) else [reasons])
    ]


class CursorPagination(pagination.CursorPagination):
    """Newest first, stable under inserts; any page costs the same."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`page_of` has described the whole page; drf-spectacular would wrap it once more."""
        page: dict[str, Any] = schema["items"]
        return page

    def decode_cursor(self, request: Request) -> Any:
        """A position that is no id names no place in the list; the base class would ask for it."""
        cursor = super().decode_cursor(request)
        position = cursor.position if cursor else None
        if position is not None and not re.fullmatch("[0-9]{1,19}", str(position)):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor


def _json(status: int, code: str, message: str, help: str = "") -> HttpResponse:
    body = msgspec.json.encode(error_body(code, message, None, help or HELP.get(status, "")))
    return HttpResponse(body, status=status, content_type="application/json")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    slash = "" if request.path.endswith("/") else f"Is its last slash missing? {NotFound.help}"
    return _json(404, "not_found", "There is nothing at this address.", slash)


def too_many_requests(message: str, *, retry_after_s: int = 60) -> HttpResponse:
    """For pages outside the API; its own endpoints raise Throttled."""
    response = _json(429, "throttled", message)
    response["Retry-After"] = str(retry_after_s)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _json(400, "bad_request", "The request could not be understood.")


def server_error(request: HttpRequest) -> HttpResponse:
    return _json(500, "server_error", "An unexpected error was logged under the X-Request-ID.")
