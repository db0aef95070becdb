"""KRA wraps the same answer in three ways; here they become one."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

_LONGEST_CODE = 20
_decoder = msgspec.json.Decoder(float_hook=Decimal)  # money never passes through a float
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
# Word for word: a gateway script that trips over an "unexpected token" of the answer has let
# the message pass.
_TOKEN_FAULT = re.compile(r"access token expired|invalid (access )?token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """`code` is KRA's resultCd, empty when the answer holds no verdict of the back end.

    Then `status` is what the gateway says in the body (0: nothing), `message` its reason,
    and `is_refusal` tells a checked and refused message from a gateway in trouble.
    """

    code: str = ""
    message: str = ""
    result_dt: str = ""
    data: Any = None
    status: int = 0
    is_refusal: bool = False


class Rows:
    """A long list, read row by row: as objects all at once it takes five times its own size. A row
    that is no JSON is None.
    """

    def __init__(self, rows: list[msgspec.Raw]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            try:
                yield _clean(_decoder.decode(row))
            except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
                yield None


def parse(body: bytes, *, long_list: str = "") -> Any:
    """The JSON document with clean keys; the list of that name in its data as Rows.

    Raises ValueError for anything that is not JSON.
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return _open(text, long_list) if long_list else _clean(_decoder.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError) as exc:
        raise ValueError("not JSON") from exc
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _open(text: bytes | msgspec.Raw, long_list: str) -> Any:
    """Decode what is around the list, level by level, and leave the list as it came."""
    try:
        members = _members.decode(text)
    except msgspec.ValidationError:  # JSON, but no object
        return _clean(_decoder.decode(text))
    return {name.strip(): _member(name.strip(), raw, long_list) for name, raw in members.items()}


def _member(name: str, raw: msgspec.Raw, long_list: str) -> Any:
    if name in ("responseBody", "data"):
        return _open(raw, long_list)
    if name == long_list:
        with suppress(msgspec.ValidationError):  # no list: its reader says so
            return Rows(_list.decode(raw))
    return _clean(_decoder.decode(raw))


def unwrap(document: Any) -> Envelope:
    if not isinstance(document, dict):
        return Envelope()
    if "fault" in document:
        return Envelope(message=_fault_text(document["fault"]), status=_fault_status(document))
    header = _object(document.get("header"))
    if (status := number(header.get("responseCode"))) >= 400:
        return Envelope(message=_reason(header), status=status)
    inner = document.get("responseBody")
    if isinstance(inner, dict) and inner:
        return _verdict(inner)
    outer = _object(document.get("responseHeader"))
    if (status := number(outer.get("responseCode"))) >= 400:
        return Envelope(message=_reason(outer), status=status, is_refusal=status < 500)
    return _verdict(document)


def is_token_refusal(status: int, envelope: Envelope) -> bool:
    """The token gate turned the call away, so nothing behind it has seen the message."""
    says_so = status == 401 or envelope.status == 401
    return says_so and status < 500 and not envelope.code


def text(value: Any) -> str:
    """KRA sends numbers as strings and strings as numbers."""
    return "" if value is None else str(value).strip()


def number(value: Any) -> int:
    digits = text(value)
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else 0


def _verdict(members: dict[str, Any]) -> Envelope:
    return Envelope(
        code=text(members.get("resultCd"))[:_LONGEST_CODE],
        message=text(members.get("resultMsg")),
        result_dt=text(members.get("resultDt")),
        data=members.get("data"),
    )


def _fault_text(fault: Any) -> str:
    return text(fault.get("faultstring")) if isinstance(fault, dict) else text(fault)


def _fault_status(document: dict[str, Any]) -> int:
    return 401 if _TOKEN_FAULT.search(_fault_text(document["fault"])) else 0


def _reason(header: dict[str, Any]) -> str:
    names = ("customerMessage", "debugMessage", "responseMessage")
    return next((words for name in names if (words := text(header.get(name)))), "")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _clean(value: Any) -> Any:
    # The specification's own sample prints "curRcptNo " with a trailing space.
    if isinstance(value, dict):
        return {key.strip(): _clean(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_clean(member) for member in value]
    return value
