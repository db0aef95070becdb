"""XLSX, written row by row to a temporary file: memory does not grow with the rows."""

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from typing import IO, Any

import xlsxwriter

from .tables import Column, Sheet, Table

# A cell is a binary float; beyond these digits it would not be the amount any more.
EXACT = Decimal(10) ** 13
MOST_ROWS = 1_000_000
WIDTHS = {"text": 22, "money": 16, "number": 11}


def xlsx_file(sheet: Sheet) -> IO[bytes]:
    """A whole workbook, at its beginning; it vanishes when it is closed."""
    # Handed to the response, which closes it.
    file = tempfile.TemporaryFile(prefix="report-")  # noqa: SIM115
    try:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False})
        _Writer(book).write(sheet)
        book.close()
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


class _Writer:
    """Rows must come in order: with constant memory a row is gone once the next one begins."""

    def __init__(self, book: Any) -> None:
        self.formats = {
            "text": book.add_format({}),
            "money": book.add_format({"num_format": "#,##0.00"}),
            "number": book.add_format({"num_format": "General"}),
        }
        self.bold = book.add_format({"bold": True})
        self.large = book.add_format({"bold": True, "font_size": 14})
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self.page = book.add_worksheet("Report")
        self.row = 0

    def write(self, sheet: Sheet) -> None:
        self._widths(sheet.tables)
        self._line([sheet.title], self.large)
        if sheet.warning:
            self._line([sheet.warning], self.large)
        for label, value in sheet.facts:
            self._line([label, value], self.formats["text"])
        for table in sheet.tables:
            self.row += 1
            self._line([table.title], self.bold)
            self._line([column.label for column in table.columns], self.head)
            self._table(table)

    def _widths(self, tables: Sequence[Table]) -> None:
        for place in range(max((len(table.columns) for table in tables), default=0)):
            kinds = [t.columns[place].kind for t in tables if place < len(t.columns)]
            self.page.set_column(place, place, max(WIDTHS[kind] for kind in kinds))

    def _line(self, texts: list[str], form: Any) -> None:
        for place, text in enumerate(texts):
            self.page.write_string(self.row, place, text, form)
        self.row += 1

    def _table(self, table: Table) -> None:
        for row in table.rows:
            if self.row >= MOST_ROWS:
                self._line(["More rows than a worksheet holds: take CSV."], self.bold)
                return
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                self._cell(place, column, value)
            self.row += 1

    def _cell(self, place: int, column: Column, value: Any) -> None:
        if value is None or value == "":
            return
        if column.kind == "text" or abs(Decimal(value)) >= EXACT:
            self.page.write_string(self.row, place, str(value), self.formats["text"])
        else:
            self.page.write_number(self.row, place, float(value), self.formats[column.kind])
