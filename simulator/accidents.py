"""What goes wrong on purpose once a plan says so."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from simulator import profiles, wire
from simulator.answers import MESSAGES, Answer
from simulator.faults import Plan

Result = tuple[int, Any]
_REASONS = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
_NEVER = {"refuse", "outage", "lost_before", "unauthorized", "refusal"}
_ALWAYS = {None, "lost_after", "reset"}


def lets_through(plan: Plan) -> bool:
    """Whether the call reaches the rules, and may be stored, before the accident."""
    if plan.outcome in _ALWAYS:
        return True
    return plan.outcome not in _NEVER and bool(plan.parameters.get("stored", False))


def drop(request: web.Request) -> web.Response:
    """Close the connection; the response that is returned cannot be written any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def happen(
    request: web.Request, plan: Plan, gateway: bool, result: Result | None
) -> web.StreamResponse:
    assert plan.outcome is not None
    if plan.outcome in _CLOSING:
        return await _CLOSING[plan.outcome](request, plan.parameters, result)
    return _ANSWERING[plan.outcome](plan.parameters, gateway)


async def _refuse(
    request: web.Request, parameters: Mapping[str, Any], result: Result | None
) -> web.StreamResponse:
    return drop(request)


async def _lost_before(
    request: web.Request, parameters: Mapping[str, Any], result: Result | None
) -> web.StreamResponse:
    await asyncio.sleep(float(parameters.get("hold_s", 60)))
    return drop(request)


async def _lost_after(
    request: web.Request, parameters: Mapping[str, Any], result: Result | None
) -> web.StreamResponse:
    await asyncio.sleep(float(parameters.get("hold_s", 0)))
    return drop(request)


async def _reset(
    request: web.Request, parameters: Mapping[str, Any], result: Result | None
) -> web.StreamResponse:
    """Half of the body, then RST."""
    transport = request.transport
    if transport is not None and result is not None:
        body = wire.encode(result[1])
        head = f"HTTP/1.1 {result[0]} OK\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        transport.write(head.encode() + body[: len(body) // 2])
        await asyncio.sleep(0.02)  # let the half arrive before the reset overtakes it
        connection = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return drop(request)


_CLOSING: dict[
    str,
    Callable[[web.Request, Mapping[str, Any], Result | None], Awaitable[web.StreamResponse]],
] = {
    "refuse": _refuse,
    "outage": _refuse,
    "lost_before": _lost_before,
    "lost_after": _lost_after,
    "reset": _reset,
}


def _html(parameters: Mapping[str, Any], gateway: bool) -> web.Response:
    status = int(parameters.get("status", 504))
    title = f"{status} {_REASONS.get(status, 'Error')}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return web.Response(status=status, text=page, content_type="text/html")


def _unauthorized(parameters: Mapping[str, Any], gateway: bool) -> web.Response:
    body = profiles.unauthorized() if gateway else profiles.expired()
    return web.json_response(body, status=401)


def _empty_body(parameters: Mapping[str, Any], gateway: bool) -> web.Response:
    return web.Response(body=b"", content_type="application/json")


def _result_code(parameters: Mapping[str, Any], gateway: bool) -> web.Response:
    code = str(parameters["code"])
    message = parameters.get("message") or MESSAGES.get(code, "")
    return _wrapped(Answer(code, str(message)), gateway)


def _refusal(parameters: Mapping[str, Any], gateway: bool) -> web.Response:
    status = int(parameters.get("http_status", 400))
    text = str(parameters["message"])
    return _wrapped(Answer("910", text, refused=True, http_status=status), gateway)


def _wrapped(answer: Answer, gateway: bool) -> web.Response:
    status, body = profiles.wrap(answer, gateway)
    return web.json_response(body, status=status)


_ANSWERING: dict[str, Callable[[Mapping[str, Any], bool], web.Response]] = {
    "html": _html,
    "unauthorized": _unauthorized,
    "empty_body": _empty_body,
    "result_code": _result_code,
    "refusal": _refusal,
}


def distort(data: Any, shapes: tuple[str, ...]) -> Any:
    """The same answer in an odd shape, or, for wrong_content, another document's answer."""
    if "wrong_content" in shapes:
        data = _someone_else(data)
    if "string_numbers" in shapes:
        data = _reshape(data, _as_text, lambda key: key)
    if "spaced_keys" in shapes:
        data = _reshape(data, lambda value: value, lambda key: f"{key} ")
    return data


def _as_text(value: Any) -> Any:
    numeric = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return str(value) if numeric else value


def _reshape(data: Any, leaf: Callable[[Any], Any], key: Callable[[str], str]) -> Any:
    if isinstance(data, dict):
        return {key(name): _reshape(value, leaf, key) for name, value in data.items()}
    if isinstance(data, list):
        return [_reshape(value, leaf, key) for value in data]
    return leaf(data)


def _someone_else(data: Any) -> Any:
    if not isinstance(data, dict) or "salesList" not in data:
        return data
    rows = [
        {
            **row,
            "custTin": "P999999999X",
            "custNm": "Another Buyer Ltd",
            "totAmt": row["totAmt"] + 1000,
        }
        for row in data["salesList"]
    ]
    return {**data, "salesList": rows}
