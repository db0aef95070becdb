"""Which format a request wants, and a report in it. `?format=` goes before `Accept`."""

from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from core.errors import Invalid, Problem
from sales.errors import UnknownFormat

from .csv_format import csv_pieces
from .pdf_format import pdf_bytes
from .tables import Sheet
from .xlsx_format import xlsx_file

FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
CSV = "text/csv; charset=utf-8"
# A page takes reportlab some 20 ms; nobody reads more pages than these rows fill.
MOST_PDF_ROWS = 5_000
FORMAT = OpenApiParameter(
    "format", str, enum=list(FORMATS), description="Goes before `Accept`; default: json."
)
BINARY = {"type": "string", "format": "binary"}
FILES: dict[Any, Any] = {
    (200, FORMATS["csv"]): {"type": "string"},
    (200, FORMATS["xlsx"]): BINARY,
    (200, FORMATS["pdf"]): BINARY,
}


def wanted_format(request: Request) -> str:
    """Raises UnknownFormat, with the list."""
    named = request.query_params.get("format")
    if named is not None:
        if named in FORMATS:
            return named
        raise _unknown("format", f"{named[:20]!r} is not known.")
    fitting = request._request.get_preferred_type(list(FORMATS.values()))
    found = [name for name, media in FORMATS.items() if media == fitting]
    if not found:
        raise _unknown("Accept", "Nothing can be written as what it names.")
    return found[0]


def _unknown(field: str, reason: str) -> UnknownFormat:
    known = ", ".join(f"{name} ({media})" for name, media in FORMATS.items())
    return UnknownFormat(
        f"The formats are {known}.", problems=[Problem(field, reason, f"Use one of {known}.")]
    )


def written(sheet: Sheet, form: str) -> Any:
    """A file to download. Raises Invalid when it has too many rows for a PDF."""
    response = _written(sheet, form)
    response["Vary"] = "Accept"
    return response


def _written(sheet: Sheet, form: str) -> Any:
    if form == "csv":
        return streamed(csv_pieces(sheet), sheet.filename)
    if form == "xlsx":
        name = f"{sheet.filename}.xlsx"
        file = xlsx_file(sheet)
        return FileResponse(file, as_attachment=True, filename=name, content_type=FORMATS[form])
    check_pdf(sheet)
    response = HttpResponse(pdf_bytes(sheet), content_type=FORMATS["pdf"])
    response["Content-Disposition"] = f'inline; filename="{sheet.filename}.pdf"'
    return response


def check_pdf(sheet: Sheet) -> None:
    rows = sum(len(list(table.rows)) for table in sheet.tables)
    if rows > MOST_PDF_ROWS:
        step = "Ask for csv or xlsx, or for fewer days."
        problem = Problem("format", f"{rows} rows are too many for a PDF.", step)
        raise Invalid("The report is too long.", problems=[problem])


def streamed(pieces: Iterator[bytes], filename: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type=CSV)
    response["Content-Disposition"] = f'attachment; filename="{filename}.csv"'
    return response
