"""A receipt on a roll: one page, as long as it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

from reportlab.lib.units import mm

from sales.receipts.document import Line, ReceiptDocument, ScuBlock

from .pen import BOLD, LEADING, REGULAR, Block, Pen, fold, logo_size, new_canvas, width_of

# What PDF readers can show of one page is limited; nobody prints five metres in one piece.
LONGEST = 14_000.0
TWICE = 2.1


Write = Callable[[Pen, float, float, str, float, str], None]


def _writer(
    write: Write, x: float, text: str, size: float, font: str
) -> Callable[[Pen, float], None]:
    return lambda pen, y: write(pen, x, y, text, size, font)


@dataclass(frozen=True, slots=True)
class Roll:
    paper: float
    printed: float
    size: float
    qr_side: float

    @property
    def left(self) -> float:
        return (self.paper - self.printed) / 2

    def line(self, text: str, *, size: float = 0, font: str = REGULAR) -> Iterator[Block]:
        """From the left, folded."""
        size = size or self.size
        indent = width_of(" " * (len(text) - len(text.lstrip())), size, font)
        for part in fold(text, self.printed - indent, size, font):
            yield Block(size * LEADING, _writer(Pen.text, self.left + indent, part, size, font))

    def centred(self, text: str, *, size: float = 0, font: str = REGULAR) -> Iterator[Block]:
        size = size or self.size
        for part in fold(text, self.printed, size, font):
            yield Block(size * LEADING, _writer(Pen.centre, self.paper / 2, part, size, font))

    def pair(self, left: str, right: str, *, size: float = 0, font: str = REGULAR
             ) -> Iterator[Block]:  # fmt: skip
        """Left and right on one line; below each other where they would touch."""
        size = size or self.size
        widths = width_of(left, size, font) + width_of(right, size, font)
        end = self.left + self.printed
        if widths + size > self.printed:
            yield from self.line(left, size=size, font=font)
            yield Block(size * LEADING, _writer(Pen.right, end, right, size, font))
            return

        def draw(pen: Pen, y: float) -> None:
            pen.text(self.left, y, left, size, font)
            pen.right(end, y, right, size, font)

        yield Block(size * LEADING, draw)

    def columns(self, name: str, first: str, second: str, font: str = REGULAR) -> Iterator[Block]:
        """Two amounts beside a name; all below each other where they would touch."""
        size, end = self.size, self.left + self.printed
        column = (self.printed - 5 * size) / 2
        if max(width_of(each, size, font) for each in (first, second)) > column - size / 2:
            yield from self.line(name, font=font)
            for each in (first, second):
                yield Block(size * LEADING, _writer(Pen.right, end, each, size, font))
            return

        def draw(pen: Pen, y: float) -> None:
            pen.text(self.left, y, name, size, font)
            pen.right(end - column, y, first, size, font)
            pen.right(end, y, second, size, font)

        yield Block(size * LEADING, draw)

    def rule(self) -> Iterator[Block]:
        gap = self.size * 0.8
        yield Block(gap, lambda pen, y: pen.rule(self.left, y - gap / 2, self.printed))


ROLL_80 = Roll(paper=80 * mm, printed=72 * mm, size=8.5, qr_side=42 * mm)
ROLL_58 = Roll(paper=58 * mm, printed=48 * mm, size=7.5, qr_side=38 * mm)


def render_80(document: ReceiptDocument) -> bytes:
    return render(document, ROLL_80)


def render_58(document: ReceiptDocument) -> bytes:
    return render(document, ROLL_58)


def render(document: ReceiptDocument, roll: Roll) -> bytes:
    out = BytesIO()
    margin = roll.size * 1.5
    canvas = new_canvas(out, (roll.paper, LONGEST))
    canvas.setTitle(f"{document.title} {document.tis.receipt_number}")
    canvas.setAuthor(document.seller.name)
    pen = Pen(canvas)
    for page in _pages(list(_blocks(document, roll))):
        height = sum(block.height for block in page) + 2 * margin
        canvas.setPageSize((roll.paper, height))
        y = height - margin
        for block in page:
            block.draw(pen, y)
            y -= block.height
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _pages(blocks: list[Block]) -> Iterator[list[Block]]:
    page: list[Block] = []
    used = 0.0
    for block in blocks:
        if used + block.height > LONGEST:
            yield page
            page, used = [], 0.0
        page.append(block)
        used += block.height
    yield page


def _blocks(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    mark = list(_watermark(document, roll))
    yield from mark
    yield from _head(document, roll)
    yield from roll.rule()
    for line in document.lines:
        yield from _line(line, document.words.discount, roll)
    yield from roll.rule()
    yield from _sums(document, roll)
    yield from roll.rule()
    yield from roll.columns("", "Taxable amount", "Tax", BOLD)
    for row in document.taxes:
        yield from roll.columns(f"{row.letter} {row.rate}", str(row.taxable), str(row.tax))
    yield from roll.rule()
    if document.scu:
        yield from _scu(document.scu, roll)
        yield from roll.rule()
    yield from _tis(document, roll)
    if document.qr_url:
        yield from _qr(document, roll)
    yield from mark
    for text in document.branding.footer:
        yield from roll.centred(text)


def _watermark(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    mark = document.watermark
    if mark is None:
        return
    yield from roll.rule()
    yield from roll.centred(mark.word, size=roll.size * 3, font=BOLD)
    for text in (mark.wording, mark.meaning):
        yield from roll.centred(text, size=roll.size * TWICE, font=BOLD)
    yield from roll.rule()


def _head(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    seller, buyer, words = document.seller, document.buyer, document.words
    if document.branding.logo:
        yield _logo(document.branding.logo, roll)
    yield from roll.centred(seller.name, size=roll.size * 1.4, font=BOLD)
    for text in (seller.address, f"PIN: {seller.pin}", *document.branding.header):
        yield from roll.centred(text)
    for notice in document.environment_notice or ():
        yield from roll.centred(notice, size=roll.size * TWICE, font=BOLD)
    yield from roll.centred(document.title, size=roll.size * 1.6, font=BOLD)
    yield from roll.centred(document.title_meaning)
    if document.original_cu_invoice_number:
        yield from roll.centred("ORIGINAL CU INVOICE NUMBER:", font=BOLD)
        yield from roll.centred(document.original_cu_invoice_number)
    if buyer and buyer.pin:
        yield from roll.centred(f"{words.buyer_pin}: {buyer.pin}")
    if buyer and buyer.name:
        yield from roll.centred(f"{words.buyer}: {buyer.name}")


def _logo(png: bytes, roll: Roll) -> Block:
    width, height = logo_size(png, roll.printed, roll.printed / 3)
    x = (roll.paper - width) / 2
    return Block(height + roll.size, lambda pen, y: pen.picture(x, y, png, width, height))


def _line(line: Line, discount: str, roll: Roll) -> Iterator[Block]:
    yield from roll.line(line.name)
    yield from roll.pair(f"  {line.unit_price} x {line.quantity}", str(line.amount))
    if line.discount:
        yield from roll.pair(f"  {discount}", str(line.discount))


def _sums(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    for each in document.sums:
        font = BOLD if each.caption == "TOTAL" else REGULAR
        yield from roll.pair(each.caption, str(each.amount), font=font)
    for each in document.payments:
        yield from roll.pair(each.caption, str(each.amount))
    yield from roll.pair(document.words.items, str(document.items_number))


def _scu(scu: ScuBlock, roll: Roll) -> Iterator[Block]:
    yield from roll.line("SCU INFORMATION", font=BOLD)
    yield from roll.pair(f"Date: {scu.date}", f"Time: {scu.time}")
    yield from roll.line(f"SCU ID: {scu.scu_id}")
    yield from roll.line(f"CU INVOICE NUMBER: {scu.cu_invoice_number}")
    yield from roll.line(f"Receipt: {scu.counters}")
    for name, value in (("Internal Data:", scu.internal_data),
                        ("Receipt Signature:", scu.signature)):  # fmt: skip
        yield from roll.line(name)
        yield from roll.line(value)


def _tis(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    tis = document.tis
    label = "" if document.scu else f" {document.label.value}"
    yield from roll.line("TIS INFORMATION", font=BOLD)
    yield from roll.line(f"Receipt: {tis.receipt_number}{label}")
    yield from roll.pair(f"Date: {tis.date}", f"Time: {tis.time}")


def _qr(document: ReceiptDocument, roll: Roll) -> Iterator[Block]:
    url, side = document.qr_url or "", roll.qr_side
    x = (roll.paper - side) / 2
    yield Block(side, lambda pen, y: pen.qr(x, y, url, side))
    yield from roll.centred(document.scan, size=roll.size * 0.9)
