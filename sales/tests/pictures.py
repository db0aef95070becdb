"""Receipts as pictures, and whether two pictures show the same."""

import os

import pypdfium2
from PIL import Image, ImageChops, ImageFilter

from sales.receipts import escpos
from sales.receipts.pdf import papers

from . import escpos_reader
from .test_messages import GOLDEN

PICTURES = GOLDEN / "pictures"
# Set, a test of goldens writes them instead of comparing. Look at them before you commit them.
REWRITES = bool(os.environ.get("REWRITE_GOLDEN"))
GREYS = 16
# How far a dot may be from the golden one, both slightly blurred. Measured: Python 3.12 with the
# PDFium and Pillow of a year before differs by 8 of 255, one digit for another by 20 and more.
TOLERANCE = 14
# A long roll would be a long picture: its ends show what matters.
LONGEST = 1_000


def a4(document):
    return _pdf(papers.render_a4(document), dpi=80)


def pdf_80mm(document):
    return _pdf(papers.render_80(document), dpi=100)


def escpos_58mm(document):
    return _escpos(escpos.render_58(document), 384)


def escpos_80mm(document):
    return _escpos(escpos.render_80(document), 576)


FORMATS = {"a4": a4, "80mm": pdf_80mm, "escpos_58mm": escpos_58mm, "escpos_80mm": escpos_80mm}


def _pdf(data, dpi):
    with pypdfium2.PdfDocument(data) as pdf:
        ends = sorted({0, len(pdf) - 1})
        return _shortened([pdf[number].render(scale=dpi / 72).to_pil() for number in ends])


def _escpos(data, dots):
    paper = escpos_reader.read(data, dots).picture()
    return _shortened([paper.resize((paper.width // 2, paper.height // 2), Image.Resampling.BOX)])


def _shortened(pages):
    """The first and the last of it, in few greys: what is kept is what is compared."""
    ends = []
    for page in pages:
        if page.height <= 2 * LONGEST:
            ends.append(page)
        else:
            below = page.height - LONGEST
            ends += [page.crop((0, 0, page.width, LONGEST)),
                     page.crop((0, below, page.width, page.height))]  # fmt: skip
    step = 255 / (GREYS - 1)
    return [end.convert("L").point(lambda grey: round(round(grey / step) * step)) for end in ends]


def golden_of(name, count):
    """Where the pictures of so many parts are kept."""
    if count == 1:
        return [PICTURES / f"{name}.png"]
    return [PICTURES / f"{name}_{part}.png" for part in range(1, count + 1)]


def write(image, path):
    path.parent.mkdir(exist_ok=True)
    image.quantize(GREYS).save(path, optimize=True)


def difference(made, path):
    """How far a picture is from the golden one; 255 where there is none or its size differs."""
    if not path.exists():
        return 255
    with Image.open(path) as kept:
        golden = kept.convert("L")
    if made.size != golden.size:
        return 255
    blurred = [image.filter(ImageFilter.BoxBlur(1)) for image in (made, golden)]
    return ImageChops.difference(*blurred).getextrema()[1]
