"""Receipts as plain text: 42 columns for 80 mm paper, 32 for 58 mm.

Plain text has one size. What must be twice as large as the amounts is spaced out to twice its
width, in a frame of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap

from .document import Line, ReceiptDocument, ScuBlock, TaxRow, TisBlock, Watermark

WIDTH_80, WIDTH_58 = 42, 32


@dataclass(frozen=True, slots=True)
class Paper:
    width: int

    @property
    def rule(self) -> str:
        return "-" * self.width

    def centred(self, text: str) -> Iterator[str]:
        for part in wrap(text, self.width) or ([text] if text else []):
            yield part.center(self.width).rstrip()

    def large(self, text: str) -> Iterator[str]:
        """Every letter with a space behind it, broken between words only."""
        for part in wrap(text, (self.width + 1) // 2):
            yield " ".join(part).center(self.width).rstrip()

    def pair(self, left: str, right: str) -> Iterator[str]:
        """Left and right on one line; on two where they would touch."""
        gap = self.width - len(left) - len(right)
        if gap > 0:
            yield left + " " * gap + right
        else:
            yield from (left, right.rjust(self.width))

    def row(self, name: str, first: str, second: str) -> Iterator[str]:
        """Two amounts in columns; below each other where they would touch."""
        column = (self.width - len(name.ljust(6))) // 2
        if max(len(first), len(second)) < column:
            yield f"{name:<6}{first:>{column}}{second:>{self.width - 6 - column}}"
        else:
            yield from (name, first.rjust(self.width), second.rjust(self.width))


def render(document: ReceiptDocument) -> bytes:
    return lay_out(document, WIDTH_80).encode()


def render_58(document: ReceiptDocument) -> bytes:
    return lay_out(document, WIDTH_58).encode()


def lay_out(document: ReceiptDocument, width: int = WIDTH_80) -> str:
    paper = Paper(width)
    mark = [list(_watermark(paper, document.watermark))] if document.watermark else []
    parts = [
        *mark,
        _head(paper, document),
        (row for line in document.lines for row in _line(paper, line, document.words.discount)),
        _sums(paper, document),
        _taxes(paper, document.taxes),
        *([_scu(paper, document.scu)] if document.scu else []),
        _tis(paper, document.tis, document),
        *mark,
        *([_centred(paper, document.branding.footer)] if document.branding.footer else []),
    ]
    return "\n".join([row for part in parts for row in [*part, paper.rule]]) + "\n"


def _centred(paper: Paper, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from paper.centred(text)


def _watermark(paper: Paper, mark: Watermark) -> Iterator[str]:
    yield from paper.large(mark.word)
    yield from paper.large(mark.wording)
    yield from paper.large(mark.meaning)


def _head(paper: Paper, document: ReceiptDocument) -> Iterator[str]:
    seller, buyer = document.seller, document.buyer
    yield from _centred(paper, (seller.name, seller.address, f"PIN: {seller.pin}"))
    yield from _centred(paper, document.branding.header)
    for notice in document.environment_notice or ():
        yield from paper.large(notice)
    yield from _centred(paper, (document.title, document.title_meaning))
    if document.original_cu_invoice_number:
        original = document.original_cu_invoice_number
        yield from _centred(paper, ("ORIGINAL CU INVOICE NUMBER:", original))
    if buyer and buyer.pin:
        yield from paper.centred(f"{document.words.buyer_pin}: {buyer.pin}")
    if buyer and buyer.name:
        yield from paper.centred(f"{document.words.buyer}: {buyer.name}")


def _line(paper: Paper, line: Line, discount: str) -> Iterator[str]:
    yield from wrap(line.name, paper.width)
    yield from paper.pair(f"  {line.unit_price} x {line.quantity}", str(line.amount))
    if line.discount:
        yield from paper.pair(f"  {discount}", str(line.discount))


def _sums(paper: Paper, document: ReceiptDocument) -> Iterator[str]:
    for each in (*document.sums, *document.payments):
        yield from paper.pair(each.caption, str(each.amount))
    yield from paper.pair(document.words.items, str(document.items_number))


def _taxes(paper: Paper, rows: Iterable[TaxRow]) -> Iterator[str]:
    yield from paper.row("", "Taxable amount" if paper.width > WIDTH_58 else "Taxable", "Tax")
    for row in rows:
        yield from paper.row(f"{row.letter} {row.rate}", str(row.taxable), str(row.tax))


def _scu(paper: Paper, scu: ScuBlock) -> Iterator[str]:
    yield "SCU INFORMATION"
    yield from paper.pair(f"Date: {scu.date}", f"Time: {scu.time}")
    yield f"SCU ID: {scu.scu_id}"
    yield from _beside(paper, "CU INVOICE NUMBER:", scu.cu_invoice_number)
    yield f"Receipt: {scu.counters}"
    yield from ("Internal Data:", *_indented(paper, scu.internal_data))
    yield from ("Receipt Signature:", *_indented(paper, scu.signature))


def _tis(paper: Paper, tis: TisBlock, document: ReceiptDocument) -> Iterator[str]:
    yield "TIS INFORMATION"
    label = "" if document.scu else f" {document.label.value}"
    yield from _beside(paper, "Receipt:", f"{tis.receipt_number}{label}".strip())
    yield from _beside(paper, "Date:", f"{tis.date} {tis.time}")
    if document.qr_url:
        # Never broken: a person copies it whole.
        yield document.qr_url


def _beside(paper: Paper, name: str, value: str) -> Iterator[str]:
    if len(name) + 1 + len(value) <= paper.width:
        yield f"{name} {value}"
    else:
        yield from (name, *_indented(paper, value))


def _indented(paper: Paper, text: str) -> Iterator[str]:
    for part in wrap(text, paper.width - 2, break_on_hyphens=True):
        yield f"  {part}"
