"""A printer made of Python: reads ESC/POS back into rows, sizes, pictures and cuts; strict, so that
an order it does not know fails the test. It draws what it read.
"""

from dataclasses import dataclass, field
from functools import cache
from io import BytesIO

import pymupdf_fonts
from PIL import Image, ImageDraw, ImageFont

COLUMN, ROW = 12, 24


@dataclass
class Row:
    text: str
    scale: int
    is_bold: bool
    align: int


@dataclass
class Paper:
    dots: int
    parts: list[Row | Image.Image] = field(default_factory=list)
    qr: list[str] = field(default_factory=list)
    cuts: int = 0
    code_pages: list[int] = field(default_factory=list)

    @property
    def rows(self):
        return [part for part in self.parts if isinstance(part, Row)]

    @property
    def pictures(self):
        return [part for part in self.parts if isinstance(part, Image.Image)]

    @property
    def text(self):
        return "\n".join(row.text for row in self.rows)

    def picture(self):
        """What the paper looks like."""
        height = sum(_height(part) for part in self.parts) + 60
        paper = Image.new("L", (self.dots + 40, height), 255)
        draw, y = ImageDraw.Draw(paper), 20
        for part in self.parts:
            if isinstance(part, Row):
                _write(draw, part, y, self.dots)
            else:
                paper.paste(part, (20 + (self.dots - part.width) // 2, y))
            y += _height(part)
        return paper


def _height(part):
    return ROW * part.scale + 6 if isinstance(part, Row) else part.height


@cache
def _font(file, size):
    return ImageFont.truetype(BytesIO(pymupdf_fonts.myfont(file)), size)


def _write(draw, row, y, dots):
    font = _font("spacembo" if row.is_bold else "spacemo", 17 * row.scale)
    step = COLUMN * row.scale
    x = 20 + ((dots - len(row.text) * step) // 2 if row.align == 1 else 0)
    for place, letter in enumerate(row.text):
        draw.text((x + place * step, y), letter, fill=0, font=font)


def read(data, dots):
    """Raises AssertionError at an order that is not known here."""
    return _Reader(data, dots).paper


class _Reader:
    def __init__(self, data, dots):
        self.data, self.at = data, 0
        self.paper = Paper(dots)
        self.line, self.scale, self.bold, self.align = bytearray(), 1, False, 0
        while self.at < len(data):
            self._next()
        assert not self.line, "text without a line feed is never printed"

    def _take(self, count=1):
        assert self.at + count <= len(self.data), "the order is cut short"
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def _next(self):
        byte = self._take()
        orders = {b"\x1b": self._escape, b"\x1d": self._group, b"\x1c": self._file}
        if byte in orders:
            orders[byte]()
        elif byte == b"\n":
            text = self.line.decode("cp437")
            self.paper.parts.append(Row(text, self.scale, self.bold, self.align))
            self.line.clear()
        else:
            assert byte >= b" ", f"control {byte!r}"
            self.line += byte

    def _escape(self):
        order = self._take()
        if order == b"@":
            self.scale, self.bold, self.align = 1, False, 0
        elif order == b"t":
            self.paper.code_pages.append(self._take()[0])
        elif order == b"E":
            self.bold = self._take() != b"\0"
        elif order == b"a":
            self.align = self._take()[0] & 3
        elif order == b"!":
            self.scale = 2 if self._take()[0] & 0x30 else 1
        elif order == b"d":
            self._take()
        else:
            raise AssertionError(f"unknown ESC {order!r}")

    def _file(self):
        assert self._take() == b".", "unknown FS"

    def _group(self):
        order = self._take()
        if order == b"!":
            size = self._take()[0]
            assert size >> 4 == size & 15
            self.scale = (size & 15) + 1
        elif order == b"v":
            self._raster()
        elif order == b"(":
            self._symbol()
        elif order == b"V":
            if self._take()[0] >= 65:
                self._take()
            self.paper.cuts += 1
        else:
            raise AssertionError(f"unknown GS {order!r}")

    def _raster(self):
        assert self._take(2) == b"0\0"
        width = int.from_bytes(self._take(2), "little")
        height = int.from_bytes(self._take(2), "little")
        assert width * 8 <= self.paper.dots, "wider than the paper"
        bits = bytes(255 - byte for byte in self._take(width * height))
        self.paper.parts.append(Image.frombytes("1", (width * 8, height), bits))

    def _symbol(self):
        assert self._take() == b"k"
        body = self._take(int.from_bytes(self._take(2), "little"))
        assert body[:1] == b"1"
        if body[1] == 80:
            self.paper.qr.append(body[3:].decode())
