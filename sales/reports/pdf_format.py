"""PDF for people: A4, lying down when the tables are wide, every page numbered."""

import io
from decimal import Decimal
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

import pymupdf_fonts
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as PdfTable

from .tables import Column, Sheet, Table

PLAIN, BOLD = "NotoSans", "NotoSans-Bold"
WIDE = 7
MARGIN = 15 * mm
WEIGHTS = {"text": 1.5, "money": 1.35, "number": 0.95}
# reportlab pads its frames on both sides.
FRAME = 12
GREY = colors.HexColor("#666666")


@lru_cache(maxsize=1)
def load_fonts() -> None:
    """Embedded, so that a name reads the same everywhere."""
    for name, key in ((PLAIN, "notos"), (BOLD, "notosbo")):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(pymupdf_fonts.fontbuffers[key]())))


def pdf_bytes(sheet: Sheet) -> bytes:
    load_fonts()
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
    for table in sheet.tables:
        story += _table(table, width, size)

    def foot(canvas: Any, _: Any) -> None:
        canvas.setFont(PLAIN, 7)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, 8 * mm, f"{sheet.title}  {sheet.filename}")
        canvas.drawRightString(page[0] - MARGIN, 8 * mm, f"Page {canvas.getPageNumber()}")

    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return file.getvalue()


def _style(size: float, font: str = PLAIN, **more: Any) -> ParagraphStyle:
    return ParagraphStyle("any", fontName=font, fontSize=size, leading=size * 1.25, **more)


def _head(sheet: Sheet, width: float) -> list[Any]:
    story: list[Any] = [Paragraph(escape(sheet.title), _style(16, BOLD, spaceAfter=6))]
    if sheet.warning:
        warning = _style(18, BOLD, textColor=colors.HexColor("#b00020"), spaceAfter=6)
        story.append(Paragraph(escape(sheet.warning), warning))
    rows = [
        [Paragraph(escape(label), _style(9, BOLD)), Paragraph(escape(value), _style(9))]
        for label, value in sheet.facts
    ]
    facts = PdfTable(rows, colWidths=[40 * mm, width - 40 * mm], hAlign="LEFT")
    facts.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)])
    return [*story, facts]


def _table(table: Table, width: float, size: float) -> list[Any]:
    title = Paragraph(escape(table.title), _style(11, BOLD, spaceBefore=10, spaceAfter=4))
    head = [
        Paragraph(escape(c.label), _style(size, BOLD, alignment=0 if c.kind == "text" else 2))
        for c in table.columns
    ]
    body = [
        [_cell(column, value, size) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    shares = _shares(table, body)
    drawn = LongTable([head, *body], colWidths=[width * s for s in shares], repeatRows=1)
    drawn.setStyle(
        [
            ("FONT", (0, 1), (-1, -1), PLAIN, size),
            ("LINEBELOW", (0, 0), (-1, 0), 0.7, colors.black),
            ("LINEBELOW", (0, 1), (-1, -1), 0.2, colors.HexColor("#cccccc")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            *(
                ("ALIGN", (place, 1), (place, -1), "RIGHT")
                for place, column in enumerate(table.columns)
                if column.kind != "text"
            ),
        ]
    )
    title.keepWithNext = True
    return [title, drawn, Spacer(1, 2 * mm)]


def _cell(column: Column, value: Any, size: float) -> Any:
    """Only names are long enough to be broken; a paragraph for each cell would be slow."""
    if value is None or value == "":
        return ""
    if column.kind == "money":
        return f"{Decimal(value):,.2f}"
    text = str(value)
    if column.kind == "text" and len(text) > 10:
        return Paragraph(escape(text), _style(size, splitLongWords=1))
    return text


def _shares(table: Table, body: list[list[Any]]) -> list[float]:
    """Columns as wide as their widest amount asks, so that 18 digits do not touch."""
    weights = []
    for place, column in enumerate(table.columns):
        longest = max((len(row[place]) for row in body if isinstance(row[place], str)), default=0)
        weights.append(max(WEIGHTS[column.kind], longest / 9 if column.kind != "text" else 0))
    names = [place for place, column in enumerate(table.columns) if column.label == "Name"]
    for place in names:
        weights[place] = 2.6
    whole = sum(weights)
    return [weight / whole for weight in weights]
