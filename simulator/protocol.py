"""The protocol data: endpoints, their fields, code tables, classifications, seeds."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str  # text, integer, number, instant, date
    size: int | None
    required: bool
    limit: int  # numbers stay below it


@dataclass(frozen=True)
class Endpoint:
    id: str
    direct: str
    gateway: str
    aliases: tuple[str, ...]
    fields: tuple[Field, ...]
    lines: tuple[Field, ...]
    receipt: tuple[Field, ...]


def _read(name: str) -> Any:
    return json.loads((files(__package__) / "data" / name).read_text(encoding="utf-8"))


def _fields(rows: list[dict[str, Any]]) -> tuple[Field, ...]:
    return tuple(Field(**row, limit=_limit(row["kind"], row["size"])) for row in rows)


def _limit(kind: str, size: int | None) -> int:
    """`18,2` in the field tables counts the two decimals."""
    if kind == "number":
        return int(10 ** ((size or 18) - 2))
    return int(10 ** (size or 38))


@cache
def endpoints() -> dict[str, Endpoint]:
    found = {}
    for row in _read("endpoints.json"):
        found[row["id"]] = Endpoint(
            id=row["id"],
            direct=row["direct"],
            gateway=row["gateway"],
            aliases=tuple(row["aliases"]),
            fields=_fields(row["fields"]),
            lines=_fields(row.get("lines", [])),
            receipt=_fields(row.get("receipt", [])),
        )
    return found


@cache
def code_tables() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = _read("codes.json")
    return tables


@cache
def codes(table: str) -> frozenset[str]:
    """The codes of one class."""
    rows = next(row["codes"] for row in code_tables() if row["class"] == table)
    return frozenset(row[0] for row in rows)


@cache
def classifications() -> dict[str, dict[str, Any]]:
    return {
        code: {
            "itemClsCd": code,
            "itemClsNm": name,
            "itemClsLvl": level,
            "taxTyCd": letter,
            "mjrTgYn": None,
            "useYn": "Y",
        }
        for code, name, level, letter in _read("classifications.json")
    }


@cache
def seeds() -> dict[str, Any]:
    found: dict[str, Any] = _read("seeds.json")
    return found
