"""Receipts in the language of thermal printers (ESC/POS), for rolls of 80 and 58 mm.

Written for the cheapest printers too: one code page that all of them have as their first, pictures
by the one raster command that all of them know, and the QR code as a picture unless a setting says
that the printers draw it by themselves.
"""

import unicodedata
from collections.abc import Iterable
from io import BytesIO
from textwrap import wrap

from django.conf import settings
from PIL import Image

from . import qr
from .document import Line, ReceiptDocument, ScuBlock, Watermark
from .driver import printer_class
from .text import WIDTH_58, Paper

CODE_PAGE = "cp437"
# Page 0 is CP437; and Chinese printers must leave their two-byte mode, or accents become Chinese.
SELECT_CODE_PAGE = b"\x1bt\x00\x1c."
DOTS_PER_COLUMN = 12
DOTS_58 = 384
# What the code page lacks, by what a reader takes for it.
SPELT = str.maketrans({
    "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "€": "EUR", "×": "x",
    "•": "*", "™": "(TM)", "©": "(C)", "®": "(R)", "\u00a0": " ",
})  # fmt: skip


def printable(text: str) -> str:
    """The text with only what the code page holds; no control character survives, so that an
    item's name cannot give the printer orders.
    """
    return "".join(_spelt(each) for each in text.translate(SPELT))


def _spelt(character: str) -> str:
    if not character.isprintable():
        return "?"
    for form in (character, unicodedata.normalize("NFKD", character)[0]):
        try:
            form.encode(CODE_PAGE)
        except UnicodeEncodeError:
            continue
        return form
    return "" if unicodedata.combining(character) else "?"


class Printer:
    """Rows of text in three sizes, and pictures in the middle of the paper."""

    def __init__(self, columns: int, dots: int) -> None:
        self.paper, self.dots = Paper(columns), dots
        self.device = printer_class(dots)()
        self.device.hw("INIT")
        self.device._raw(SELECT_CODE_PAGE)

    def rows(self, rows: Iterable[str], *, is_bold: bool = False) -> None:
        self.device.set(bold=is_bold)
        for row in rows:
            self.device._raw(row.encode(CODE_PAGE, "replace") + b"\n")
        if is_bold:
            self.device.set(bold=False)

    def centred(self, *texts: str, is_bold: bool = False) -> None:
        for text in texts:
            self.rows(self.paper.centred(printable(text)), is_bold=is_bold)

    def left(self, text: str, *, is_bold: bool = False) -> None:
        self.rows(wrap(printable(text), self.paper.width), is_bold=is_bold)

    def pair(self, left: str, right: str, *, is_bold: bool = False) -> None:
        *above, last = wrap(printable(left), self.paper.width) or [""]
        self.rows([*above, *self.paper.pair(last, printable(right))], is_bold=is_bold)

    def large(self, *texts: str) -> None:
        """Twice as wide and twice as high as the amounts (rule R3)."""
        self.device.set(align="center", bold=True, custom_size=True, width=2, height=2)
        for text in texts:
            for row in wrap(printable(text), self.paper.width // 2):
                self.device._raw(row.encode(CODE_PAGE) + b"\n")
        self.device.set(align="left", bold=False, normal_textsize=True)

    def rule(self) -> None:
        self.rows([self.paper.rule])

    def picture(self, image: Image.Image) -> None:
        self.device.set(align="center")
        self.device.image(image, impl="bitImageRaster")
        self.device.set(align="left")

    def qr(self, text: str) -> None:
        if settings.ESCPOS_QR == "native":
            self.device.set(align="center")
            self.device.qr(text, ec=1, size=6 if self.dots > DOTS_58 else 5, native=True)
            self.device._raw(b"\n")
            self.device.set(align="left")
        else:
            self.picture(qr_picture(text, self.dots))

    def finished(self) -> bytes:
        if settings.ESCPOS_CUT:
            self.device.cut()
        else:
            self.device.print_and_feed(4)
        return bytes(self.device.output)


def qr_picture(text: str, most_dots: int) -> Image.Image:
    """Whole dots per module, so that no edge is blurred; at most 8, about a millimetre."""
    rows = [bytes(row) for row in qr.code(text).matrix_iter(border=qr.BORDER)]
    side = len(rows)
    dark = Image.frombytes("L", (side, side), bytes(0 if each else 255 for row in rows
                                                    for each in row))  # fmt: skip
    scale = max(1, min(8, most_dots // side))
    return dark.resize((side * scale, side * scale), Image.Resampling.NEAREST).convert("1")


def logo_picture(png: bytes, most_dots: int) -> Image.Image:
    """Within two thirds of the paper's width and a third of that high, in black and white."""
    logo = Image.open(BytesIO(png)).convert("L")
    wide, high = most_dots * 2 // 3, most_dots // 3
    scale = min(wide / logo.width, high / logo.height, 1.0)
    size = max(1, round(logo.width * scale)), max(1, round(logo.height * scale))
    return logo.resize(size, Image.Resampling.LANCZOS).convert("1")


def render(document: ReceiptDocument) -> bytes:
    """On the company's own roll; 80 mm where it prints on A4."""
    return (render_58 if document.branding.paper == "58mm" else render_80)(document)


def render_80(document: ReceiptDocument) -> bytes:
    columns = settings.ESCPOS_COLUMNS_80
    return _print(document, Printer(columns, columns * DOTS_PER_COLUMN))


def render_58(document: ReceiptDocument) -> bytes:
    return _print(document, Printer(WIDTH_58, DOTS_58))


def _print(document: ReceiptDocument, printer: Printer) -> bytes:
    _watermark(printer, document.watermark)
    _head(printer, document)
    printer.rule()
    for line in document.lines:
        _line(printer, line, document.words.discount)
    printer.rule()
    _sums(printer, document)
    printer.rule()
    _taxes(printer, document)
    printer.rule()
    if document.scu:
        _scu(printer, document.scu)
        printer.rule()
    _tis(printer, document)
    if document.qr_url:
        printer.qr(document.qr_url)
        printer.centred(document.scan)
    _watermark(printer, document.watermark)
    printer.centred(*document.branding.footer)
    return printer.finished()


def _watermark(printer: Printer, mark: Watermark | None) -> None:
    if mark is not None:
        printer.large(mark.word, mark.wording, mark.meaning)
        printer.rule()


def _head(printer: Printer, document: ReceiptDocument) -> None:
    seller, buyer, words = document.seller, document.buyer, document.words
    if document.branding.logo:
        printer.picture(logo_picture(document.branding.logo, printer.dots))
    printer.centred(seller.name, is_bold=True)
    printer.centred(seller.address, f"PIN: {seller.pin}", *document.branding.header)
    printer.large(*(document.environment_notice or ()))
    printer.centred(document.title, is_bold=True)
    printer.centred(document.title_meaning)
    if document.original_cu_invoice_number:
        printer.centred("ORIGINAL CU INVOICE NUMBER:", document.original_cu_invoice_number)
    if buyer and buyer.pin:
        printer.centred(f"{words.buyer_pin}: {buyer.pin}")
    if buyer and buyer.name:
        printer.centred(f"{words.buyer}: {buyer.name}")


def _line(printer: Printer, line: Line, discount: str) -> None:
    printer.left(line.name)
    printer.pair(f"  {line.unit_price} x {line.quantity}", str(line.amount))
    if line.discount:
        printer.pair(f"  {discount}", str(line.discount))


def _sums(printer: Printer, document: ReceiptDocument) -> None:
    for each in document.sums:
        printer.pair(each.caption, str(each.amount), is_bold=each.caption == "TOTAL")
    for each in document.payments:
        printer.pair(each.caption, str(each.amount))
    printer.pair(document.words.items, str(document.items_number))


def _taxes(printer: Printer, document: ReceiptDocument) -> None:
    paper = printer.paper
    taxable = "Taxable amount" if paper.width > WIDTH_58 else "Taxable"
    printer.rows(paper.row("", taxable, "Tax"))
    for row in document.taxes:
        printer.rows(paper.row(f"{row.letter} {row.rate}", str(row.taxable), str(row.tax)))


def _scu(printer: Printer, scu: ScuBlock) -> None:
    printer.left("SCU INFORMATION", is_bold=True)
    printer.pair(f"Date: {scu.date}", f"Time: {scu.time}")
    for text in (
        f"SCU ID: {scu.scu_id}",
        f"CU INVOICE NUMBER: {scu.cu_invoice_number}",
        f"Receipt: {scu.counters}",
        "Internal Data:",
        scu.internal_data,
        "Receipt Signature:",
        scu.signature,
    ):
        printer.left(text)


def _tis(printer: Printer, document: ReceiptDocument) -> None:
    tis = document.tis
    label = "" if document.scu else f" {document.label.value}"
    printer.left("TIS INFORMATION", is_bold=True)
    printer.left(f"Receipt: {tis.receipt_number}{label}")
    printer.pair(f"Date: {tis.date}", f"Time: {tis.time}")
