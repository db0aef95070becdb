"""Is a catalogue row something KRA can accept? Every fault of a row is named, field by field."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from msgspec import UNSET

from core.errors import Problem
from items.models import Classification, Code, ProductType
from items.models.catalogue import COUNTRY_PATTERN, LETTERS, UNIT_PATTERN
from items.rates import rates_on
from items.rows import FaultyRow, ItemRow
from kra.times import NAIROBI

COUNTRIES, QUANTITY_UNITS, PACKAGING_UNITS = "05", "10", "17"
TAX_NAMES = {"exempt": "A", "standard": "B", "zero": "C", "non_vat": "D", "reduced": "E"}
TYPE_NAMES = {name: value for value, name in ProductType.choices}
# Rule I2(d): the gateway refuses the one-letter unit of its own list inside an item code.
PIECES = {"U": "NO"}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What the opening stock may be worth: the messages to KRA carry 200 items.
LARGEST_VALUE = Decimal(10) ** 13
PLACES = {"price": (16, "money"), "opening_stock": (11, "a quantity")}


class Fault(Exception):
    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.reason, self.next_step = reason, next_step


@dataclass(frozen=True, slots=True)
class Lists:
    """What an environment's lists allow. A list that was never synced allows everything."""

    codes: dict[str, set[str]]
    classifications: set[str] | None
    rates: dict[str, Decimal]

    @classmethod
    def of(cls, environment: str, rows: Iterable[ItemRow | FaultyRow]) -> "Lists":
        given = (row.classification for row in rows if isinstance(row, ItemRow))
        return cls.of_codes(environment, {code for code in given if isinstance(code, str)})

    @classmethod
    def of_codes(cls, environment: str, used: set[str]) -> "Lists":
        """`used`: the classifications that will be asked about."""
        return cls(_codes(environment), _classifications(environment, used), _rates(environment))

    def require(self, class_id: str, code: str, path: str) -> None:
        known = self.codes.get(class_id)
        if known is not None and code not in known:
            raise Fault(f"KRA's list has no {code!r}.", f"GET /api/codes/{path}/ shows the list.")


def _codes(environment: str) -> dict[str, set[str]]:
    classes = (COUNTRIES, QUANTITY_UNITS, PACKAGING_UNITS)
    rows = Code.objects.filter(environment=environment, class_id__in=classes, is_active=True)
    known: dict[str, set[str]] = {}
    for class_id, code in rows.values_list("class_id", "code"):
        known.setdefault(class_id, set()).add(code)
    return known


def _classifications(environment: str, used: set[str]) -> set[str] | None:
    rows = Classification.objects.filter(environment=environment)
    if not rows.exists():
        return None
    return set(rows.filter(code__in=used, is_active=True).values_list("code", flat=True))


def _rates(environment: str) -> dict[str, Decimal]:
    return rates_on(environment, today())


def today() -> date:
    return timezone.now().astimezone(NAIROBI).date()


@dataclass(slots=True)
class Checked:
    """One row, in the words of the model: `values` for the item, and what is wrong."""

    position: int
    sku: str
    values: dict[str, Any] = field(default_factory=dict)
    opening_stock: Decimal = Decimal(0)
    problems: list[Problem] = field(default_factory=list)


def check_rows(environment: str, rows: Sequence[ItemRow | FaultyRow]) -> list[Checked]:
    lists = Lists.of(environment, rows)
    checked = [_check(position, row, lists) for position, row in enumerate(rows)]
    seen: dict[str, int] = {}
    for row in checked:
        first = seen.setdefault(row.sku, row.position)
        if row.sku and first != row.position:
            step = "Send each SKU once in a request."
            row.problems.append(Problem("sku", f"Row {first} has the same SKU.", step))
    return checked


def _check(position: int, row: ItemRow | FaultyRow, lists: Lists) -> Checked:
    checked = Checked(position, row.sku)
    if isinstance(row, FaultyRow):
        checked.problems = list(row.problems)
        return checked
    given = {name: getattr(row, name) for name in CHECKS if getattr(row, name) is not UNSET}
    for name, value in given.items():
        try:
            checked.values[name] = CHECKS[name](value, lists)
        except Fault as fault:
            checked.problems.append(Problem(name, fault.reason, fault.next_step))
    _check_together(checked, lists)
    if "tax" in checked.values:
        checked.values["tax_letter"] = checked.values.pop("tax")
    checked.values.pop("sku", None)
    return checked


def _check_together(checked: Checked, lists: Lists) -> None:
    values = checked.values
    letter, rate = values.get("tax"), values.pop("rate", None)
    if letter and rate is not None and rate != lists.rates[letter]:
        reason = f"KRA's rate of {letter} is {lists.rates[letter].normalize():f} %, not {rate} %."
        checked.problems.append(Problem("rate", reason, "Correct the rate or the tax letter."))
    checked.opening_stock = values.pop("opening_stock", Decimal(0))
    if checked.opening_stock and values.get("product_type") == ProductType.SERVICE:
        problem = Problem("opening_stock", "A service has no stock.", "Leave it out.")
        checked.problems.append(problem)
    if checked.opening_stock * values.get("price", Decimal(0)) >= LARGEST_VALUE:
        problem = Problem("opening_stock", "Its value is larger than KRA's field.", "Correct it.")
        checked.problems.append(problem)


def _text(value: str, _: Lists) -> str:
    if CONTROL.search(value):
        raise Fault("It holds control characters.", "Remove line breaks, tabs and zero bytes.")
    if value and not value.strip():
        raise Fault("It is blank.", "Give it a text.")
    return value.strip()


def _sku(value: str, lists: Lists) -> str:
    if _text(value, lists) != value:
        raise Fault("It begins or ends with a space.", "Remove the space.")
    return value


def _classification(value: str, lists: Lists) -> str:
    if lists.classifications is not None and value not in lists.classifications:
        raise Fault(
            f"KRA's list has no classification {value!r}.",
            "GET /api/classifications/?search=… finds one.",
        )
    return value


def _tax(value: str, _: Lists) -> str:
    letter = TAX_NAMES.get(value.lower(), value.upper())
    if letter not in tuple(LETTERS):
        raise Fault(f"There is no tax {value!r}.", f"Use A to E, or {', '.join(TAX_NAMES)}.")
    return letter


def _product_type(value: str, _: Lists) -> str:
    code = TYPE_NAMES.get(value.lower(), value)
    if code not in ProductType.values:
        raise Fault(f"There is no product type {value!r}.", f"Use {', '.join(TYPE_NAMES)}.")
    return code


def _unit(class_id: str, path: str) -> Callable[[str, Lists], str]:
    def check(value: str, lists: Lists) -> str:
        code = PIECES.get(value.upper(), value.upper())
        if not re.fullmatch(UNIT_PATTERN, code):
            raise Fault(
                f"{value!r} cannot be part of an item code: KRA wants two characters.",
                "Use a two-character unit, such as NO (number), KG (kilogram) or PA (packet).",
            )
        lists.require(class_id, code, path)
        return code

    return check


def _country(value: str, lists: Lists) -> str:
    code = value.upper()
    if not re.fullmatch(COUNTRY_PATTERN, code):
        raise Fault(f"{value!r} is not a country code.", "Use two letters, such as KE.")
    lists.require(COUNTRIES, code, "countries")
    return code


def _number(name: str) -> Callable[[Decimal, Lists], Decimal]:
    digits, what = PLACES[name]

    def check(value: Decimal, _: Lists) -> Decimal:
        if not value.is_finite() or value < 0 or value.adjusted() >= digits:
            raise Fault(f"It is not {what}.", f"Send 0 or more, below 10^{digits}.")
        if value != round(value, 2):
            raise Fault("It has more than two decimals.", "Round it to two decimals.")
        return round(value, 2)

    return check


def _rate(value: Decimal, _: Lists) -> Decimal:
    if not value.is_finite():
        raise Fault("It is not a number.", "Send the percentage, such as 16.")
    return value


def _as_it_is(value: Any, _: Lists) -> Any:
    return value


CHECKS: dict[str, Callable[[Any, Lists], Any]] = {
    "sku": _sku,
    "name": _text,
    "classification": _classification,
    "tax": _tax,
    "price": _number("price"),
    "product_type": _product_type,
    "packaging_unit": _unit(PACKAGING_UNITS, "packaging_units"),
    "quantity_unit": _unit(QUANTITY_UNITS, "quantity_units"),
    "rate": _rate,
    "barcode": _text,
    "category": _text,
    "origin_country": _country,
    "is_fiscal": _as_it_is,
    "is_active": _as_it_is,
    "opening_stock": _number("opening_stock"),
}
