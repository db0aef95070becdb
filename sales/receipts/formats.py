"""Every format of a receipt: one row says how it is asked for, made, and whether it is a print."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from core.errors import DomainError, Problem

from . import qr, text
from .document import ReceiptDocument


class FormatUnknown(DomainError):
    """Nothing that the client accepts can be made."""

    status = 406
    code = "not_acceptable"
    help = "Name one of the listed media types in Accept, or one of the suffixes."


@dataclass(frozen=True, slots=True)
class Format:
    suffix: str
    media_type: str
    render: Callable[[ReceiptDocument], bytes]
    # True: asking for it is printing it, so it is put on record and may be the original.
    is_print: bool
    charset: str = ""

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; charset={self.charset}" if self.charset else self.media_type

    @property
    def extension(self) -> str:
        """Of a file with it: the part of the suffix that names no paper."""
        return self.suffix.rstrip("0123456789")


def render_json(document: ReceiptDocument) -> bytes:
    """Decimals as text; the logo in base64."""
    return msgspec.json.encode(document)


# The first row answers whoever accepts anything; of rows with one media type the first answers.
TABLE = (
    Format("txt", "text/plain", text.render, is_print=True, charset="utf-8"),
    Format("txt58", "text/plain", text.render_58, is_print=True, charset="utf-8"),
    # Data: it becomes a print when the till names one with print_id.
    Format("json", "application/json", render_json, is_print=False),
    Format("svg", "image/svg+xml", qr.render_svg, is_print=False),
    Format("png", "image/png", qr.render_png, is_print=False),
)
FORMATS = {format.suffix: format for format in TABLE}
MEDIA_TYPES = list(dict.fromkeys(format.media_type for format in TABLE))


def by_suffix(suffix: str) -> Format:
    """Raises FormatUnknown."""
    if suffix not in FORMATS:
        raise _unknown(f"There is no receipt as {suffix!r}.", "suffix")
    return FORMATS[suffix]


def by_media_type(media_type: str | None) -> Format:
    """Raises FormatUnknown for None: nothing fits what the client accepts."""
    for format in TABLE:
        if format.media_type == media_type:
            return format
    raise _unknown("There is no receipt of a type you accept.", "Accept")


def _unknown(message: str, field: str) -> FormatUnknown:
    step = f"Accept one of {', '.join(MEDIA_TYPES)}; or a suffix of {', '.join(FORMATS)}."
    return FormatUnknown(message, problems=[Problem(field, message, step)])
