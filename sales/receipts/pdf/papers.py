"""Which paper a PDF is set on: the one asked for, or the company's own."""

from sales.receipts.document import ReceiptDocument

from .a4 import render as render_a4
from .roll import render_58, render_80

__all__ = ["render", "render_58", "render_80", "render_a4"]
PAPERS = {"a4": render_a4, "80mm": render_80, "58mm": render_58}


def render(document: ReceiptDocument) -> bytes:
    return PAPERS[document.branding.paper](document)
