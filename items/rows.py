"""One row of a catalogue as the caller sends it, read field by field."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from core.errors import Problem
from core.faults import unknown_field, words

Text60 = Annotated[str, Meta(max_length=60)]
Text20 = Annotated[str, Meta(max_length=20)]


class ItemRow(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out keeps its value on an item that exists, and has a default on a new one."""

    sku: Annotated[str, Meta(min_length=1, max_length=60, examples=["SKU-001"])]
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    classification: Annotated[
        Annotated[str, Meta(pattern=r"^\d{2,10}$")] | UnsetType,
        Meta(
            description="See GET /api/classifications/. Required without a category.",
        ),
    ] = UNSET
    tax: Annotated[
        str | UnsetType,
        Meta(
            description="A to E, or exempt, standard, zero, non_vat, reduced. "
            "Required without a category.",
            examples=["standard"],
        ),
    ] = UNSET
    price: Annotated[Decimal, Meta(description="Unit price, tax included.")]
    product_type: Annotated[
        str | UnsetType, Meta(description="finished (default), raw, service, or KRA's 1, 2, 3.")
    ] = UNSET
    packaging_unit: Annotated[str | UnsetType, Meta(description="KRA code, default NT.")] = UNSET
    quantity_unit: Annotated[str | UnsetType, Meta(description="KRA code, default NO.")] = UNSET
    rate: Annotated[
        Decimal | UnsetType, Meta(description="Percent; must be the rate of the tax letter.")
    ] = UNSET
    barcode: Text20 | UnsetType = UNSET
    category: Annotated[
        Text60 | UnsetType,
        Meta(description="Yours; a new item takes from it what its row leaves out."),
    ] = UNSET
    origin_country: Annotated[str | UnsetType, Meta(description="Two letters, default KE.")] = UNSET
    is_fiscal: Annotated[
        bool | UnsetType, Meta(description="False: KRA never hears of the item.")
    ] = UNSET
    is_active: bool | UnsetType = UNSET
    opening_stock: Annotated[
        Decimal | UnsetType, Meta(description="Quantity; booked once, when the item is created.")
    ] = UNSET


class FaultyRow(Struct):
    """A row that could not be read, with all that is wrong with it."""

    sku: str
    problems: list[Problem]


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_TYPES = {field.encode_name: field.type for field in msgspec.structs.fields(ItemRow)}
# Needed of every new item; a category may give them.
BY_CATEGORY = ("classification", "tax")
_REQUIRED = [field.encode_name for field in msgspec.structs.fields(ItemRow) if field.required]
# The columns of a table of items.
CELLS = tuple(_TYPES)
REQUIRED_CELLS = tuple(_REQUIRED)


def required(name: str) -> Problem:
    return Problem(name, "This field is required.", f"Add {name!r}.")


def read_rows(raws: Sequence[msgspec.Raw]) -> list[ItemRow | FaultyRow]:
    return [_read(raw) for raw in raws]


def _read(raw: msgspec.Raw) -> ItemRow | FaultyRow:
    try:
        return msgspec.json.decode(raw, type=ItemRow)
    except msgspec.ValidationError:
        return _explain(_decoder.decode(raw))


def read_values(values: dict[str, Any]) -> ItemRow | FaultyRow:
    """A row whose values are texts, as a table has them."""
    try:
        return msgspec.convert(values, ItemRow)
    except msgspec.ValidationError:
        return _explain(values)


def _explain(row: Any) -> FaultyRow:
    """msgspec stops at the first fault; the caller wants all of them at once."""
    if not isinstance(row, dict):
        return FaultyRow("", [Problem("", "A row must be an object.", 'Send {"sku": …}.')])
    names = _REQUIRED if row.get("category") else [*_REQUIRED, *BY_CATEGORY]
    problems = [required(name) for name in names if name not in row]
    for name, value in row.items():
        problem = _field_problem(name, value)
        if problem is not None:
            problems.append(problem)
    return FaultyRow(str(row.get("sku", ""))[:60], problems)


def _field_problem(name: str, value: Any) -> Problem | None:
    if name not in _TYPES:
        return unknown_field(name, _TYPES)
    try:
        msgspec.convert(value, _TYPES[name])
    except msgspec.ValidationError as exc:
        reason = re.sub(r" - at `\$.*", "", str(exc))
        return Problem(name, *words(reason))
    return None
