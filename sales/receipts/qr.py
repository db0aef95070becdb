"""QR codes: KRA's check on receipts (rule R4), the promise page's own address on that page."""

from io import BytesIO

import segno

from sales.errors import NotSigned

from .document import ReceiptDocument

# Four modules of white around it: scanners need them.
BORDER = 4
PNG_SCALE = 8


def code(text: str) -> segno.QRCode:
    """Error correction M: thermal paper fades and creases."""
    return segno.make_qr(text, error="m")


def inline_svg(text: str, *, title: str) -> str:
    """For HTML: scales with its box, black on white in the dark as well."""
    return str(
        code(text).svg_inline(border=BORDER, light="#fff", dark="#000", omitsize=True, title=title)
    )


def svg(text: str) -> bytes:
    return _saved(text, "svg", scale=PNG_SCALE, light="#fff")


def png(text: str) -> bytes:
    return _saved(text, "png", scale=PNG_SCALE)


def render_svg(document: ReceiptDocument) -> bytes:
    return svg(_address(document))


def render_png(document: ReceiptDocument) -> bytes:
    return png(_address(document))


def _address(document: ReceiptDocument) -> str:
    """Raises NotSigned: training and proforma have nothing to check."""
    if document.qr_url is None:
        raise NotSigned(
            f"A {document.title.lower()} has no QR code: KRA knows nothing of it.",
            help="Ask for a signed sale's, or for another format.",
        )
    return document.qr_url


def _saved(text: str, kind: str, **options: object) -> bytes:
    out = BytesIO()
    code(text).save(out, kind=kind, border=BORDER, **options)
    return out.getvalue()
