"""An invoice on A4: the table's head and the notices on each page, totals never torn apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from sales.receipts.document import Line, ReceiptDocument

from .pen import (
    BLACK,
    BOLD,
    GREY,
    LEADING,
    PALE,
    REGULAR,
    TINT,
    Block,
    Pen,
    fold,
    logo_size,
    new_canvas,
    shortened,
    width_of,
)

WIDTH, HEIGHT = A4
LEFT, RIGHT = 42.0, WIDTH - 42.0
TOP, BOTTOM = HEIGHT - 40.0, 56.0
INNER = RIGHT - LEFT
SIZE, SMALL, LARGE = 9.0, 8.0, 19.0
ROW = SIZE * LEADING
GAP = 10.0
QR_SIDE = 38 * mm
# The paper has a column for each, where the roll has "unit price × quantity".
COLUMNS = {"en": ("Quantity", "Unit price"), "sw": ("Idadi", "Bei")}
PAGE = {"en": "Page {} of {}", "sw": "Ukurasa {} kati ya {}"}


def render(document: ReceiptDocument) -> bytes:
    out = BytesIO()
    canvas = new_canvas(out, A4)
    canvas.setTitle(f"{document.title} {document.tis.receipt_number}")
    canvas.setAuthor(document.seller.name)
    pen, table = Pen(canvas), _table(document)
    pages = list(_pages(document, table))
    for number, page in enumerate(pages, start=1):
        _watermark(pen, document)
        y = TOP
        for block in page:
            block.draw(pen, y)
            y -= block.height
        _foot(pen, document, PAGE[document.language].format(number, len(pages)))
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _pages(document: ReceiptDocument, table: "Table") -> Iterator[list[Block]]:
    """Fill page after page; each later one begins with what the first one was about."""
    again = _again(document)
    page = [_head(document), *_notice(document), *_buyer(document), table.head(document)]
    used = sum(block.height for block in page)
    for block in (*table.rows(document), *_ends(document)):
        if used + block.height > TOP - BOTTOM:
            yield page
            page = [again, *_notice(document), *([table.head(document)] if block.is_row else [])]
            used = sum(each.height for each in page)
        page.append(block)
        used += block.height
    yield page


def _watermark(pen: Pen, document: ReceiptDocument) -> None:
    """Across the page, under everything else, and larger than twice the amounts (rule R3)."""
    mark = document.watermark
    if mark is None:
        return
    pen.canvas.saveState()
    pen.canvas.translate(WIDTH / 2, HEIGHT / 2)
    pen.canvas.rotate(45)
    pen.shade(PALE)
    pen.centre(0, 85, mark.word, 96, BOLD)
    pen.centre(0, -30, mark.wording, 42, BOLD)
    pen.centre(0, -85, mark.meaning, 30, BOLD)
    pen.canvas.restoreState()


def _head(document: ReceiptDocument) -> Block:
    """The seller on the left, what this is on the right."""
    seller, branding = document.seller, document.branding
    half = INNER * 0.56
    logo = logo_size(branding.logo, half, 64) if branding.logo else (0.0, 0.0)
    left = [(text, SIZE, REGULAR) for each in
            (seller.address, f"PIN: {seller.pin}", *branding.header)
            for text in fold(each, half, SIZE)]  # fmt: skip
    left = [(text, 14.0, BOLD) for text in fold(seller.name, half, 14, BOLD)] + left
    right = list(_facts(document, INNER - half - GAP))
    logo_height = logo[1] + 6 if branding.logo else 0.0

    def draw(pen: Pen, y: float) -> None:
        if branding.logo:
            pen.picture(LEFT, y, branding.logo, *logo)
        _column(pen, LEFT, y - logo_height, left)
        _column(pen, RIGHT, y, right, is_right=True)

    return Block(max(_height(left) + logo_height, _height(right)) + GAP, draw)


Text = tuple[str, float, str]


def _facts(document: ReceiptDocument, width: float) -> Iterator[Text]:
    texts = [(document.title, LARGE, BOLD), (document.title_meaning, SIZE, REGULAR)]
    if document.scu:
        texts += [("CU INVOICE NUMBER", SMALL, REGULAR),
                  (document.scu.cu_invoice_number, SIZE, BOLD)]  # fmt: skip
    if document.original_cu_invoice_number:
        texts += [("ORIGINAL CU INVOICE NUMBER", SMALL, REGULAR),
                  (document.original_cu_invoice_number, SIZE, BOLD)]  # fmt: skip
    for text, size, font in texts:
        for part in fold(text, width, size, font):
            yield part, size, font


def _height(texts: list[Text]) -> float:
    return sum(size * LEADING for _, size, _ in texts)


def _column(pen: Pen, x: float, y: float, texts: list[Text], *, is_right: bool = False) -> None:
    for text, size, font in texts:
        (pen.right if is_right else pen.text)(x, y, text, size, font)
        y -= size * LEADING


def _again(document: ReceiptDocument) -> Block:
    """Who and what, on the pages after the first."""
    number = document.scu.cu_invoice_number if document.scu else document.tis.receipt_number
    what = f"{document.title} {number}"
    room = INNER - width_of(what, SIZE) - GAP
    name = shortened(document.seller.name, room, SIZE, BOLD)

    def draw(pen: Pen, y: float) -> None:
        pen.text(LEFT, y, name, SIZE, BOLD)
        pen.right(RIGHT, y, what, SIZE)

    return Block(ROW + GAP, draw)


def _notice(document: ReceiptDocument) -> Iterator[Block]:
    """Sandbox and simulator say so on each page."""
    if document.environment_notice is None:
        return
    lines = fold(": ".join(document.environment_notice), INNER - GAP, LARGE, BOLD)
    height = len(lines) * LARGE * LEADING + 6

    def draw(pen: Pen, y: float) -> None:
        pen.canvas.setLineWidth(1.5)
        pen.canvas.rect(LEFT, y - height, INNER, height)
        for number, text in enumerate(lines):
            pen.centre(WIDTH / 2, y - 3 - number * LARGE * LEADING, text, LARGE, BOLD)

    yield Block(height + GAP, draw)


def _buyer(document: ReceiptDocument) -> Iterator[Block]:
    buyer, words = document.buyer, document.words
    if buyer is None:
        return
    pairs = ((words.buyer, buyer.name), (words.buyer_pin, buyer.pin))
    texts = [f"{caption}: {value}" for caption, value in pairs if value]
    lines = [(part, SIZE, REGULAR) for text in texts for part in fold(text, INNER, SIZE)]
    yield Block(_height(lines) + GAP, lambda pen, y: _column(pen, LEFT, y, lines))


@dataclass(frozen=True, slots=True)
class Table:
    """Right edges of the number columns, from what they hold; names have what is left."""

    name_width: float
    quantity: float
    price: float

    def head(self, document: ReceiptDocument) -> Block:
        words, (quantity, price) = document.words, COLUMNS[document.language]

        def draw(pen: Pen, y: float) -> None:
            pen.box(LEFT, y, INNER, ROW + 4, TINT)
            pen.text(LEFT + NUMBER, y - 2, words.description, SMALL, BOLD)
            pen.right(self.quantity, y - 2, quantity, SMALL, BOLD)
            pen.right(self.price, y - 2, price, SMALL, BOLD)
            pen.right(RIGHT - 3, y - 2, words.amount, SMALL, BOLD)

        return Block(ROW + 7, draw)

    def rows(self, document: ReceiptDocument) -> Iterator[Block]:
        for number, line in enumerate(document.lines, start=1):
            yield self._row(str(number), line, document.words.discount)

    def _row(self, number: str, line: Line, discount: str) -> Block:
        names = fold(line.name, self.name_width, SIZE)
        rows = max(1, len(names)) + (line.discount is not None)
        height = rows * ROW + 3

        def draw(pen: Pen, y: float) -> None:
            pen.right(LEFT + NUMBER - 6, y, number, SIZE)
            for place, name in enumerate(names):
                pen.text(LEFT + NUMBER, y - place * ROW, name, SIZE)
            pen.right(self.quantity, y, line.quantity, SIZE)
            pen.right(self.price, y, str(line.unit_price), SIZE)
            pen.right(RIGHT - 3, y, str(line.amount), SIZE)
            if line.discount:
                below = y - (rows - 1) * ROW
                pen.text(LEFT + NUMBER, below, discount, SIZE)
                pen.right(RIGHT - 3, below, str(line.discount), SIZE)
            pen.rule(LEFT, y - height + 1.5, INNER, 0.25)

        return Block(height, draw, is_row=True)


NUMBER = 26.0


def _table(document: ReceiptDocument) -> Table:
    lines = document.lines
    amount = _widest([str(each) for line in lines for each in (line.amount, line.discount)
                      if each], 70)  # fmt: skip
    price = _widest([str(line.unit_price) for line in lines], 60)
    quantity = _widest([line.quantity for line in lines], 44)
    right_of_price = RIGHT - 3 - amount - 12
    right_of_quantity = right_of_price - price - 12
    return Table(
        right_of_quantity - quantity - 8 - LEFT - NUMBER, right_of_quantity, right_of_price
    )


def _widest(texts: list[str], least: float) -> float:
    return max([least, *(width_of(text, SIZE) for text in texts)])


def _ends(document: ReceiptDocument) -> Iterator[Block]:
    """Totals with the tax table; then the control unit's words with the code. Each in one piece."""
    yield _totals(document)
    yield _signed(document)
    footer = [(part, SIZE, REGULAR) for text in document.branding.footer
              for part in fold(text, INNER, SIZE)]  # fmt: skip
    if footer:
        yield Block(_height(footer) + GAP, lambda pen, y: _middle(pen, y - GAP, footer))


def _middle(pen: Pen, y: float, texts: list[Text]) -> None:
    for text, size, font in texts:
        pen.centre(WIDTH / 2, y, text, size, font)
        y -= size * LEADING


def _totals(document: ReceiptDocument) -> Block:
    """The tax table on the left, the sums on the right; both smaller where they would touch."""
    sums = [(each.caption, str(each.amount)) for each in (*document.sums, *document.payments)]
    sums.append((document.words.items, str(document.items_number)))
    taxes = [(f"{row.letter} {row.rate}", str(row.taxable), str(row.tax)) for row in document.taxes]
    taxes.insert(0, ("", "Taxable amount", "Tax"))
    size = next((each for each in (SIZE, SMALL) if _room(taxes, sums, each) >= 0), SMALL)
    names, _, tax = _widths(taxes, size)
    tax_width = max(INNER * 0.48, sum(_widths(taxes, size)) + 2 * CELL_GAP)
    taxable_end = LEFT + min(tax_width - tax - CELL_GAP, (names + CELL_GAP + tax_width) / 2)

    def draw(pen: Pen, y: float) -> None:
        y -= GAP
        for place, (name, taxable, tax) in enumerate(taxes):
            font = REGULAR if place else BOLD
            pen.text(LEFT, y - place * ROW, name, size, font)
            pen.right(taxable_end, y - place * ROW, taxable, size, font)
            pen.right(LEFT + tax_width, y - place * ROW, tax, size, font)
        for place, (caption, amount) in enumerate(sums):
            font = BOLD if caption == "TOTAL" else REGULAR
            pen.text(LEFT + tax_width + BETWEEN, y - place * ROW, caption, size, font)
            pen.right(RIGHT - 3, y - place * ROW, amount, size, font)

    return Block(max(len(sums), len(taxes)) * ROW + 2 * GAP, draw)


CELL_GAP, BETWEEN = 10.0, 24.0


def _widths(rows: Sequence[Sequence[str]], size: float) -> list[float]:
    """Of the columns, were all of it bold."""
    columns = zip(*rows, strict=True)
    return [max(width_of(text, size, BOLD) for text in column) for column in columns]


def _room(taxes: Sequence[Sequence[str]], sums: Sequence[Sequence[str]], size: float) -> float:
    """What two tables side by side leave of the paper's width; negative: they do not fit."""
    needed: float = sum(_widths(taxes, size)) + sum(_widths(sums, size))
    left: float = INNER - 3 - needed - 3 * CELL_GAP - BETWEEN
    return left


def _signed(document: ReceiptDocument) -> Block:
    texts = list(_unit(document))
    side = QR_SIDE if document.qr_url else 0.0

    def draw(pen: Pen, y: float) -> None:
        pen.rule(LEFT, y, INNER)
        _column(pen, LEFT, y - GAP, texts)
        if document.qr_url:
            pen.qr(RIGHT - side, y - GAP / 2, document.qr_url, side)
            for place, text in enumerate(fold(document.scan, side, SMALL)):
                pen.centre(RIGHT - side / 2, y - side - place * SMALL * LEADING, text, SMALL)

    return Block(max(_height(texts), side + 2 * SMALL * LEADING) + 2 * GAP, draw)


def _unit(document: ReceiptDocument) -> Iterator[Text]:
    scu, tis = document.scu, document.tis
    if scu:
        yield "SCU INFORMATION", SIZE, BOLD
        yield f"Date: {scu.date}   Time: {scu.time}", SIZE, REGULAR
        for text in (
            f"SCU ID: {scu.scu_id}",
            f"CU INVOICE NUMBER: {scu.cu_invoice_number}",
            f"Receipt: {scu.counters}",
            f"Internal Data: {scu.internal_data}",
            f"Receipt Signature: {scu.signature}",
        ):
            for part in fold(text, INNER - QR_SIDE - GAP, SIZE):
                yield part, SIZE, REGULAR
        yield "", SIZE / 2, REGULAR
    label = "" if scu else f" {document.label.value}"
    yield "TIS INFORMATION", SIZE, BOLD
    yield f"Receipt: {tis.receipt_number}{label}", SIZE, REGULAR
    yield f"Date: {tis.date}   Time: {tis.time}", SIZE, REGULAR


def _foot(pen: Pen, document: ReceiptDocument, page: str) -> None:
    pin = f", PIN {document.seller.pin}"
    room = INNER - width_of(pin, SMALL) - width_of(page, SMALL) - 2 * GAP
    pen.shade(GREY)
    pen.text(LEFT, BOTTOM - 14, f"{shortened(document.seller.name, room, SMALL)}{pin}", SMALL)
    pen.right(RIGHT, BOTTOM - 14, page, SMALL)
    pen.shade(BLACK)
