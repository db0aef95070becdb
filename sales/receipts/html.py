"""Receipts as HTML: one page for phone, screen and A4, that loads nothing and runs nothing."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe

from . import qr
from .document import ReceiptDocument

# Constants of ours: nothing that anybody typed.
STYLE = mark_safe((Path(__file__).parent / "receipt.css").read_text(encoding="utf-8"))
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
JPEG_START = b"\xff\xd8"


def render(document: ReceiptDocument) -> bytes:
    context = {"document": document, "style": STYLE, "paper": paper(document)}
    return str(_template("receipt").render(context)).encode()


def paper(document: ReceiptDocument) -> SafeString:
    """The receipt alone, to be put into a page that has STYLE."""
    context = {
        "document": document,
        "qr": picture(document.qr_url, title="QR") if document.qr_url else "",
        "logo": _logo(document.branding.logo),
    }
    made: SafeString = _template("receipt_paper").render(context)
    return made


def picture(text: str, *, title: str) -> SafeString:
    # segno escapes what it is given.
    return mark_safe(qr.inline_svg(text, title=title))


def _logo(image: bytes | None) -> str:
    if not image:
        return ""
    kind = "jpeg" if image.startswith(JPEG_START) else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


@cache
def _template(name: str) -> Any:
    return get_template(f"sales/{name}.html")
