"""A catalogue as a file: CSV or JSON, up to 50,000 rows.

Good rows are stored in one transaction, the others are reported; a fault of the file itself
(encoding, columns, quotes) stores nothing.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from companies.models import Company
from core.errors import Invalid, Problem
from devices.models import Device
from items.rows import CELLS, REQUIRED_CELLS, FaultyRow, ItemRow, read_values

from .catalogue import Verdict, sync_items

MAX_ROWS = 50_000
# Bounds what one statement carries.
CHUNK = 2_500
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
FLAG_CELLS = ("is_fiscal", "is_active")
Rows = Sequence[ItemRow | FaultyRow]


def import_items(
    company: Company, device: Device | None, rows: Rows, *, dry_run: bool
) -> list[Verdict]:
    """Take the rows over like `sync_items`, all good ones or, should we die, none.

    A dry run does the same and takes it back, so its verdicts are those of the real one.
    """
    rows = _without_repeats(rows)
    verdicts: list[Verdict] = []
    with transaction.atomic():
        for start in range(0, len(rows), CHUNK):
            part = sync_items(company, device, rows[start : start + CHUNK])
            for verdict in part:
                verdict.row += start
            verdicts += part
        if dry_run:
            transaction.set_rollback(True)
    return verdicts


def _without_repeats(rows: Rows) -> list[ItemRow | FaultyRow]:
    """Chunks do not see each other: a SKU of an earlier one is found here."""
    first: dict[str, int] = {}
    unique: list[ItemRow | FaultyRow] = []
    for place, row in enumerate(rows):
        earlier = first.setdefault(row.sku, place) if row.sku else place
        if earlier != place and isinstance(row, ItemRow):
            reason = f"Row {earlier} has the same SKU."
            row = FaultyRow(row.sku, [Problem("sku", reason, "Send each SKU once.")])
        unique.append(row)
    return unique


def read_csv(data: bytes) -> list[ItemRow | FaultyRow]:
    """Rows of a CSV file in UTF-8, with or without a BOM. Raises Invalid, about the file."""
    text = _text(data)
    # Office programs write semicolons where the comma is the decimal sign.
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[ItemRow | FaultyRow] = []
    try:
        names = _names(next(reader))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(names, cells))
            if len(rows) > MAX_ROWS:
                raise too_many()
    except csv.Error as error:
        step = "Check the quotes and the number of cells."
        raise _fault(f"line {reader.line_num}", f"{error}.", step) from error
    if not rows:
        raise _fault("", "It holds no items.", "Add a line per item below the column names.")
    return rows


def too_many() -> Invalid:
    return _fault("", f"It holds more than {MAX_ROWS:,} items.", "Split it.")


def _names(head: list[str]) -> list[str]:
    """The columns, which are the fields of a row of POST /api/item/sync/."""
    names = [name.strip().lower() for name in head]
    for name in names:
        if name not in CELLS:
            step = f"Use only: {', '.join(CELLS)}."
            raise _fault("line 1", f"There is no column {name[:60]!r}.", step)
        if names.count(name) > 1:
            raise _fault("line 1", f"The column {name!r} is there twice.", "Remove one.")
    missing = [name for name in REQUIRED_CELLS if name not in names]
    if missing:
        raise _fault("line 1", f"A column is missing: {', '.join(missing)}.", "Add it.")
    return names


def _row(names: list[str], cells: list[str]) -> ItemRow | FaultyRow:
    """An empty cell is left out, not emptied."""
    values: dict[str, Any] = {
        name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()
    }
    if len(cells) != len(names):
        reason = f"It has {len(cells)} cells, and there are {len(names)} columns."
        problem = Problem("", reason, "Put texts that hold the separator in quotes.")
        return FaultyRow(values.get("sku", "")[:60], [problem])
    for name in FLAG_CELLS:
        if name in values:
            values[name] = FLAGS.get(values[name].lower(), values[name])
    return read_values(values)


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _fault("line 1", "It is UTF-16.", "Save it as CSV UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"The byte 0x{data[error.start]:02x} is not UTF-8."
        raise _fault(f"line {line}", reason, "Save it as CSV UTF-8.") from error
    place = text.find("\x00")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise _fault(f"line {line}", "It holds a zero byte.", "Save it as CSV UTF-8.")
    if not text.strip():
        raise _fault("", "It is empty.", "Send a line of column names, then a line per item.")
    return text


def _fault(field: str, reason: str, step: str) -> Invalid:
    return Invalid(
        "The file cannot be read; nothing was stored.", problems=[Problem(field, reason, step)]
    )
