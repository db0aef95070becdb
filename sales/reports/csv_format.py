"""CSV, row by row: title and facts, then each table under its name."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any

from .tables import Sheet, Table

BYTES = 32_768
# Spreadsheets would run a text that begins like this.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """A file for csv.writer that only remembers the last row."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def csv_pieces(sheet: Sheet) -> Iterator[bytes]:
    """In pieces of some kilobytes; UTF-8 with a mark, which Excel needs to know it."""
    held = ["\ufeff"]
    size = 0
    for text in _texts(sheet):
        held.append(text)
        size += len(text)
        if size >= BYTES:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()


def _texts(sheet: Sheet) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    for row in _rows(sheet):
        writer.writerow(row)
        yield line.text


def _rows(sheet: Sheet) -> Iterator[Sequence[Any]]:
    yield [sheet.title]
    if sheet.warning:
        yield [sheet.warning]
    for label, value in sheet.facts:
        yield [label, harmless(value)]
    for table in sheet.tables:
        yield []
        yield [table.title]
        yield [column.label for column in table.columns]
        yield from _cells(table)


def _cells(table: Table) -> Iterator[Sequence[Any]]:
    is_text = [column.kind == "text" for column in table.columns]
    for row in table.rows:
        yield [harmless(cell) if t else cell for cell, t in zip(row, is_text, strict=True)]


def harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
