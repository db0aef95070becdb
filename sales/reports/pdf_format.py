"""PDF for people: A4, lying down when the tables are wide, every page numbered."""

import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from heapq import nlargest
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    KeepTogether,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
)
from reportlab.platypus import Table as PdfTable

from sales.receipts.pdf.pen import BOLD, drawable, known, width_of
from sales.receipts.pdf.pen import REGULAR as PLAIN

from .tables import Column, Sheet, Table

WIDE = 7
MARGIN = 15 * mm
# reportlab pads its frames on both sides.
FRAME = 12
LEFT = MARGIN + FRAME / 2
# Between two columns; a number and the word behind it must not touch.
PADDING = 3.5
LEAST_NAME = 90.0
# Of each column so many texts are measured, the longest by their letters.
MEASURED = 8
# A table of fewer rows stays on one page; but not the first, which would leave its page empty.
SMALL = 10
GREY, RED = colors.HexColor("#666666"), colors.HexColor("#b00020")


def pdf_bytes(sheet: Sheet) -> bytes:
    known()
    is_wide = any(len(table.columns) > WIDE for table in sheet.tables)
    page = landscape(A4) if is_wide else A4
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=page,
        **dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), MARGIN),
        title=sheet.title,
        author=dict(sheet.facts).get("Trade name", ""),
        invariant=1,
    )
    size = 7.0 if is_wide else 9.0
    width = page[0] - 2 * MARGIN - FRAME
    story = _head(sheet, width)
    for place, table in enumerate(sheet.tables):
        title, drawn = _table(table, width, size)
        if place and drawn._nrows <= SMALL:
            story.append(KeepTogether([title, drawn]))
        else:
            # The title, the head and some rows together; the rest may go on.
            story += [CondPageBreak(40 * mm), title, drawn]
        story.append(Spacer(1, 2 * mm))
    document.build(story, canvasmaker=_numbered(sheet))
    return file.getvalue()


def _numbered(sheet: Sheet) -> Callable[..., Canvas]:
    """Each page says of how many it is, and whether it is about real money."""

    class Numbered(Canvas):  # type: ignore[misc]
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self.pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for page in self.pages:
                self.__dict__.update(page)
                _foot(self, sheet, f"Page {self.getPageNumber()} of {len(self.pages)}")
                super().showPage()
            super().save()

    return Numbered


def _foot(canvas: Any, sheet: Sheet, page: str) -> None:
    width = canvas._pagesize[0]
    canvas.setFont(PLAIN, 7)
    canvas.setFillColor(GREY)
    canvas.drawString(LEFT, 8 * mm, drawable(f"{sheet.title}  {sheet.filename}"))
    canvas.drawRightString(width - LEFT, 8 * mm, page)
    if sheet.warning:
        canvas.setFont(BOLD, 9)
        canvas.setFillColor(RED)
        canvas.drawCentredString(width / 2, 8 * mm, sheet.warning)


def _style(size: float, font: str = PLAIN, **more: Any) -> ParagraphStyle:
    return ParagraphStyle("any", fontName=font, fontSize=size, leading=size * 1.25, **more)


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(drawable(text)), style)


def _head(sheet: Sheet, width: float) -> list[Any]:
    story: list[Any] = [_paragraph(sheet.title, _style(16, BOLD, spaceAfter=6))]
    if sheet.warning:
        warning = _style(18, BOLD, textColor=RED, spaceAfter=6)
        story.append(_paragraph(sheet.warning, warning))
    rows = [
        [_paragraph(label, _style(9, BOLD)), _paragraph(value, _style(9))]
        for label, value in sheet.facts
    ]
    facts = PdfTable(rows, colWidths=[40 * mm, width - 40 * mm], hAlign="LEFT")
    facts.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ]
    )
    return [*story, facts]


def _table(table: Table, width: float, size: float) -> tuple[Flowable, LongTable]:
    """With its title."""
    title = _paragraph(table.title, _style(11, BOLD, spaceBefore=10, spaceAfter=4))
    rows = [
        [_text(column, value) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    size, widths = _widths(table.columns, rows, width, size)
    head = [
        _paragraph(c.label, _style(size, BOLD, alignment=0 if c.kind == "text" else 2))
        for c in table.columns
    ]
    room = [each - 2 * PADDING for each in widths]
    body = [
        [_cell(*each, size) for each in zip(table.columns, row, room, strict=True)] for row in rows
    ]
    drawn = LongTable([head, *body], colWidths=widths, repeatRows=1)
    drawn.setStyle(_lines(table, size))
    return title, drawn


def _lines(table: Table, size: float) -> list[tuple[Any, ...]]:
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 1), (-1, -1), PLAIN, size),
        ("LINEBELOW", (0, 0), (-1, 0), 0.7, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.2, colors.HexColor("#cccccc")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if table.has_total:
        style += [
            ("FONT", (0, -1), (-1, -1), BOLD, size),
            ("LINEABOVE", (0, -1), (-1, -1), 0.7, colors.black),
        ]
    numbers = [place for place, column in enumerate(table.columns) if column.kind != "text"]
    return style + [("ALIGN", (place, 1), (place, -1), "RIGHT") for place in numbers]


def _text(column: Column, value: Any) -> str:
    if value is None or value == "":
        return ""
    if column.kind == "money":
        return f"{Decimal(value):,.2f}"
    return f"{value}%" if column.label == "Rate" else drawable(str(value))


def _cell(column: Column, text: str, room: float, size: float) -> Any:
    """Only what is too long becomes a paragraph, which breaks it: one for each cell is slow."""
    if column.kind == "text" and len(text) > 6 and width_of(text, size) > room:
        return Paragraph(escape(text), _style(size, splitLongWords=1))
    return text


def _widths(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: float, size: float
) -> tuple[float, list[float]]:
    """As wide as what they hold; names have what is left, or else all share it. Smaller letters
    where 18 digits stand side by side too often.
    """
    names = [place for place, column in enumerate(columns) if column.label == "Name"]
    # Of other texts; a till's code may be long too, and then it is broken, not the amounts.
    most = width / (2 if len(columns) <= WIDE else 7)
    while True:
        asked = [_asked(place, column, rows, size) for place, column in enumerate(columns)]
        for place, column in enumerate(columns):
            if column.kind == "text":
                asked[place] = min(asked[place], LEAST_NAME if place in names else most)
        left = width - sum(asked)
        if left >= 0 or size <= 5:
            break
        size -= 0.5
    if left < 0:
        return size, [each * width / sum(asked) for each in asked]
    if names:
        return size, [each + left * (place in names) / len(names)
                      for place, each in enumerate(asked)]  # fmt: skip
    return size, [each * width / sum(asked) for each in asked]


def _asked(place: int, column: Column, rows: Sequence[Sequence[str]], size: float) -> float:
    """In bold, as totals are. Of the head each word needs its room; it may stand on two lines."""
    longest = nlargest(MEASURED, (row[place] for row in rows), key=len)
    texts = [*column.label.split(), *longest]
    return max((width_of(text, size, BOLD) for text in texts), default=0.0) + 2 * PADDING + 1
