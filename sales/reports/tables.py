"""A report as titles, facts and tables: what CSV, XLSX and PDF are all drawn from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Column(NamedTuple):
    label: str
    # text, money, or number
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: Sequence[Column]
    # Read once, perhaps from a cursor.
    rows: Iterable[Sequence[Any]]
    # The last row sums up the others.
    has_total: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    # Without ending.
    filename: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    # Said in large letters: this is not about real money.
    warning: str = ""


def texts(*labels: str) -> list[Column]:
    return [Column(label) for label in labels]


def moneys(*labels: str) -> list[Column]:
    return [Column(label, "money") for label in labels]


def numbers(*labels: str) -> list[Column]:
    return [Column(label, "number") for label in labels]
