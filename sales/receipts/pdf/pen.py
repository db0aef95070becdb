"""What both papers draw with: two fonts, text that always fits, blocks that stay whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import pymupdf_fonts
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from sales.receipts import qr

REGULAR, BOLD = "NotoSans", "NotoSansBold"
FILES = {REGULAR: "notos", BOLD: "notosbo"}
LEADING = 1.3
# Where letters stand within their line, as a part of the size.
ASCENT = 1.0
BLACK, GREY, PALE, WHITE = 0.0, 0.35, 0.86, 1.0
TINT = 0.12


@lru_cache(maxsize=1)
def known() -> frozenset[int]:
    """Register both fonts, once per process: all characters that both can draw."""
    faces = []
    for name, file in FILES.items():
        font = TTFont(name, BytesIO(pymupdf_fonts.myfont(file)))
        pdfmetrics.registerFont(font)
        faces.append(frozenset(font.face.charToGlyph))
    return frozenset.intersection(*faces)


def drawable(text: str) -> str:
    """What the fonts cannot draw becomes a question mark, instead of an empty box or a crash."""
    if text.isascii():
        return text
    glyphs = known()
    return "".join(each if ord(each) in glyphs else "?" for each in text)


def width_of(text: str, size: float, font: str = REGULAR) -> float:
    known()
    return float(pdfmetrics.stringWidth(drawable(text), font, size))


def fold(text: str, width: float, size: float, font: str = REGULAR) -> list[str]:
    """Lines no wider than that, broken between words; within a word that is too long by itself."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(joined, size, font) <= width:
            lines[-1] = joined
        else:
            lines += _pieces(word, width, size, font)
    return lines


def _pieces(word: str, width: float, size: float, font: str) -> Iterator[str]:
    while width_of(word, size, font) > width and len(word) > 1:
        end = len(word)
        while end > 1 and width_of(word[:end], size, font) > width:
            end -= 1
        yield word[:end]
        word = word[end:]
    yield word


def shortened(text: str, width: float, size: float, font: str = REGULAR) -> str:
    """On one line, for places that only remind of what is said in full elsewhere."""
    if width_of(text, size, font) <= width:
        return text
    while text and width_of(f"{text}…", size, font) > width:
        text = text[:-1].rstrip()
    return f"{text}…"


class Pen:
    """A canvas whose y is the top of what is drawn."""

    def __init__(self, canvas: Canvas) -> None:
        known()
        self.canvas = canvas

    def text(self, x: float, y: float, text: str, size: float, font: str = REGULAR) -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y - size * ASCENT, drawable(text))

    def right(self, x: float, y: float, text: str, size: float, font: str = REGULAR) -> None:
        self.text(x - width_of(text, size, font), y, text, size, font)

    def centre(self, x: float, y: float, text: str, size: float, font: str = REGULAR) -> None:
        self.text(x - width_of(text, size, font) / 2, y, text, size, font)

    def rule(self, x: float, y: float, width: float, weight: float = 0.5) -> None:
        self.canvas.setLineWidth(weight)
        self.canvas.line(x, y, x + width, y)

    def shade(self, grey: float) -> None:
        self.canvas.setFillGray(grey)

    def box(self, x: float, y: float, width: float, height: float, alpha: float) -> None:
        """A tint: a watermark below it can still be read."""
        self.canvas.setFillAlpha(alpha)
        self.canvas.rect(x, y - height, width, height, stroke=0, fill=1)
        self.canvas.setFillAlpha(1)

    def picture(self, x: float, y: float, png: bytes, width: float, height: float) -> None:
        self.canvas.drawImage(ImageReader(BytesIO(png)), x, y - height, width, height)

    def qr(self, x: float, y: float, text: str, side: float) -> None:
        """Drawn as rectangles, with its white border within the side: sharp at any size, and on
        white, whatever watermark runs below it.
        """
        rows = [bytes(row) for row in qr.code(text).matrix_iter(border=qr.BORDER)]
        module = side / len(rows)
        self.shade(WHITE)
        self.canvas.rect(x, y - side, side, side, stroke=0, fill=1)
        self.shade(BLACK)
        path = self.canvas.beginPath()
        for number, row in enumerate(rows, start=1):
            for start, length in _runs(row):
                path.rect(x + start * module, y - number * module, length * module, module)
        self.canvas.drawPath(path, stroke=0, fill=1)


def _runs(row: bytes) -> Iterator[tuple[int, int]]:
    """The dark stretches of a row, as (start, length)."""
    start = row.find(1)
    while start >= 0:
        end = row.find(0, start)
        end = len(row) if end < 0 else end
        yield start, end - start
        start = row.find(1, end)


def logo_size(png: bytes, most_wide: float, most_high: float) -> tuple[float, float]:
    """As large as fits, in its own proportions."""
    width, height = ImageReader(BytesIO(png)).getSize()
    scale = min(most_wide / width, most_high / height)
    return width * scale, height * scale


@dataclass(frozen=True, slots=True)
class Block:
    """Something that is never cut: its height, and how it is drawn from its top."""

    height: float
    draw: Callable[[Pen, float], None]
    # Only these have the table's head repeated above them on a new page.
    is_row: bool = False


def new_canvas(out: BytesIO, size: tuple[float, float]) -> Canvas:
    # invariant: no clock and no random id, so that equal documents are equal files.
    return Canvas(out, pagesize=size, invariant=1, pageCompression=1)
