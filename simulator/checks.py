"""Presence, type and length of request fields, read from the endpoint tables."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from simulator import clock
from simulator.answers import Coded, Refused
from simulator.protocol import Endpoint, Field

Check = Callable[[Any, Field, bool], bool]


def _text(value: Any, field: Field, strict: bool) -> bool:
    if type(value) is int and field.name == "trdInvcNo" and not strict:
        return True  # the printed sample sends it as a number
    return isinstance(value, str) and (field.size is None or len(value) <= field.size)


def _integer(value: Any, field: Field, strict: bool) -> bool:
    return type(value) is int and abs(value) < field.limit


def _number(value: Any, field: Field, strict: bool) -> bool:
    if type(value) is int:
        return abs(value) < field.limit
    if type(value) is not Decimal:
        return False
    exponent = value.as_tuple().exponent
    if isinstance(exponent, str) or abs(value) >= field.limit:
        return False
    return bool(exponent >= -2)


def _time(value: Any, field: Field, strict: bool) -> bool:
    return isinstance(value, str) and len(value) == field.size and clock.parse(value) is not None


_CHECKS: dict[str, tuple[Check, str]] = {
    "text": (_text, "must be text within its length"),
    "integer": (_integer, "must be an integer"),
    "number": (_number, "must be a number with at most two decimals"),
    "instant": (_time, "must be yyyyMMddHHmmss"),
    "date": (_time, "must be yyyyMMdd"),
}


def parameter_error(name: str, reason: str) -> Coded:
    return Coded("910", f"Request parameter error[<{name}> : {reason}]")


def _empty(name: str, strict: bool) -> Coded | Refused:
    text = f"Request parameter error[<{name}> : may not be empty]"
    return Refused(text) if strict else Coded("910", text)


def check_fields(
    values: dict[str, Any], fields: Iterable[Field], *, strict: bool, waived: Iterable[str] = ()
) -> None:
    for field in fields:
        value = values.get(field.name)
        if value is None or value == "":
            if field.required and field.name not in waived:
                raise _empty(field.name, strict)
            continue
        check, reason = _CHECKS[field.kind]
        if not check(value, field, strict):
            raise parameter_error(field.name, reason)


def check_lines(lines: Any, fields: Iterable[Field], *, strict: bool) -> None:
    """Lines have a sentence of their own for an absent value, which names the line."""
    if not isinstance(lines, list) or not lines:
        raise _empty("itemList", strict)
    for position, line in enumerate(lines, 1):
        if not isinstance(line, dict):
            raise parameter_error("itemList", "must be a list of objects")
        if strict:
            check_present(line, fields, position)
        check_fields(line, fields, strict=strict)


def check_present(line: dict[str, Any], fields: Iterable[Field], position: int) -> None:
    for field in fields:
        if field.required and line.get(field.name) in (None, ""):
            raise absent_on_line(field.name, line.get("itemSeq") or position)


def absent_on_line(name: str, position: Any) -> Refused:
    return Refused(f"Expected a value for {name} on item: {position} but it is empty or null")


def check_body(
    body: dict[str, Any], endpoint: Endpoint, *, strict: bool, waived: Iterable[str] = ()
) -> None:
    check_fields(body, endpoint.fields, strict=strict, waived=waived)
    if endpoint.receipt:
        receipt = body.get("receipt")
        if not isinstance(receipt, dict):
            raise _empty("receipt", strict)
        check_fields(receipt, endpoint.receipt, strict=strict)
    if endpoint.lines:
        check_lines(body.get("itemList"), endpoint.lines, strict=strict)
