"""OpenAPI from the same msgspec structs that read requests and write answers."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.request import Request

from .faults import check_parameters

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "detail", "help"],
            "properties": {
                "code": {"type": "string", "examples": ["reference_reused"]},
                "message": {"type": "string"},
                "detail": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "field": {"type": "string", "examples": ["lines[2].quantity"]},
                            "reason": {"type": "string"},
                            "next_step": {"type": "string"},
                        },
                    },
                },
                "help": {"type": "string"},
            },
        }
    },
}
MEANINGS = {
    400: "The request is not valid; nothing was stored.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the scope.",
    404: "Not there, or another company's.",
    406: "Nothing that Accept or the suffix names can be made; the answer lists what can.",
    409: "The state of the object does not allow it.",
    410: "The place is older than what is kept.",
    413: "The body is larger than 1 MB.",
    415: "The body is of a kind that is not read here.",
    429: "Too many requests.",
    503: "KRA does not answer, and there is no earlier answer to give.",
    502: "KRA gave no usable answer; nothing was changed.",
}


# The same at every door. What is particular to one comes from its own answers.
SAID = {
    401: (
        "not_authenticated",
        "Authentication credentials were not provided.",
        "Send the header 'Authorization: Token <your token>'.",
    ),
    403: (
        "permission_denied",
        "This token lacks the scope that the request needs: sales:write.",
        "Ask the company's owner for a token with this scope.",
    ),
}


def _refusal(status: int) -> OpenApiResponse:
    examples = []
    if status in SAID:
        code, message, help_text = SAID[status]
        error = {"code": code, "message": message, "detail": [], "help": help_text}
        examples = [OpenApiExample(code, value={"error": error})]
    return OpenApiResponse(response=ERROR, description=MEANINGS[status], examples=examples)


def schema_of(type_: Any, *, is_request: bool = False) -> dict[str, Any]:
    """A struct's JSON Schema with every reference put in place."""
    (schema,), parts = msgspec.json.schema_components([type_], ref_template="{name}")
    resolved = _resolve(schema, parts, is_request)
    assert isinstance(resolved, dict)
    return resolved


def _resolve(node: Any, parts: dict[str, Any], is_request: bool) -> Any:
    if isinstance(node, list):
        return [_resolve(each, parts, is_request) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolve(parts[node["$ref"]], parts, is_request)
    if is_request and node.get("format") == "decimal":
        return node | {"type": ["string", "number"]}  # we answer with strings and read both
    return {
        key: _resolve(value, parts, is_request) for key, value in node.items() if key != "title"
    }


def page_of(type_: Any) -> dict[str, Any]:
    link = {"type": ["string", "null"], "format": "uri"}
    return {
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {
            "next": link,
            "previous": link,
            "results": {"type": "array", "items": schema_of(type_)},
        },
    }


def is_page(answer: Any) -> bool:
    return isinstance(answer, dict) and "results" in answer.get("properties", {})


def describe(
    summary: str,
    *,
    request: Any = None,
    answers: dict[int, Any],
    refusals: tuple[int, ...] = (),
    is_open: bool = False,
    **more: Any,
) -> Any:
    """`extend_schema` for a method that reads one struct and answers others. A query parameter that
    is not described is refused: a typing error cannot pass for a default.
    """
    responses: dict[Any, Any] = {status: _answer(type_) for status, type_ in answers.items()}
    always = () if is_open else (401, 403, 429)
    # A cursor that we did not make is not there.
    paged = (404,) if any(is_page(type_) for type_ in answers.values()) else ()
    for status in (*refusals, *paged, *always):
        responses[status] = _refusal(status)
    schema = extend_schema(
        summary=summary,
        request=_body(request),
        responses=responses,
        **more,
    )
    parameters: Sequence[OpenApiParameter] = more.get("parameters", ())
    known = [each.name for each in parameters if each.location == OpenApiParameter.QUERY]
    return lambda method: schema(_checked(method, known))


def _checked(method: Callable[..., Any], known: Sequence[str]) -> Callable[..., Any]:
    @functools.wraps(method)
    def checked(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.META["QUERY_STRING"]:
            check_parameters(request.query_params, [*known, *_of_a_list(self, request)])
        return method(self, request, *args, **kwargs)

    return checked


def _of_a_list(view: Any, request: Request) -> Iterator[str]:
    """What filters a list, and what turns its pages."""
    if request.method in ("GET", "HEAD") and (pages := getattr(view, "paginator", None)):
        filters = getattr(view, "filterset_class", None)
        yield from filters.base_filters if filters else getattr(view, "filterset_fields", ())
        yield from (pages.cursor_query_param, pages.page_size_query_param)


def _body(type_: Any) -> Any:
    return None if type_ is None else {"application/json": schema_of(type_, is_request=True)}


def _answer(type_: Any) -> Any:
    if type_ is None or isinstance(type_, (dict, OpenApiResponse)):
        return type_
    return schema_of(type_)
