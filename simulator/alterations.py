"""Orders that put KRA's books wrong: what a comparison of books must find."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simulator import wire
from simulator.orders import Bad
from simulator.state import Device, Document

_AMOUNTS = ("totAmt", "totTaxAmt", "totTaxblAmt")
_TEXTS = ("rcptTyCd", "salesSttsCd", "salesDt", "custTin", "custNm", "cnclDt")
_KINDS = ("S", "R")


def alteration(body: Mapping[str, Any], device: Device, *, is_removal: bool) -> Document:
    """The document to keep under `number`: changed by `set`, copied from `like`, or none."""
    number, like = body.get("number"), body.get("like", body.get("number"))
    if type(number) is not int or number < 1:
        raise Bad("number must be a whole number from 1 on.")
    found = device.invoices.get(like) if type(like) is int else None
    if found is None:
        raise Bad(f"There is no invoice {like!r}.")
    if is_removal:
        return {"body": None}
    document: Document = wire.decode(found.document)
    wanted = body.get("set", {})
    if not isinstance(wanted, dict):
        raise Bad('set must be an object, such as {"totAmt": 100}.')
    for name, value in wanted.items():
        _check(name, value)
    document["body"] = document["body"] | wanted | {"invcNo": number}
    return document


def _check(name: str, value: Any) -> None:
    if name in _AMOUNTS:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise Bad(f"{name} must be a number.")
    elif name not in _TEXTS:
        raise Bad(f"set knows {', '.join((*_AMOUNTS, *_TEXTS))}.")
    elif not isinstance(value, str):
        raise Bad(f"{name} must be a text.")
    elif name == "rcptTyCd" and value not in _KINDS:
        raise Bad("rcptTyCd must be S or R.")
