"""A logo somebody uploads becomes a small plain PNG of ours, or is refused.

What is stored was written by us from pixels alone: whatever else the file held (place and camera,
colour profiles, a second format behind the first) is gone.
"""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from core.api import ONE_MB
from core.errors import Invalid, PayloadTooLarge, Problem

FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_UPLOAD = ONE_MB
# Refused from the header, before a pixel is unpacked: a few kilobytes can hold gigabytes.
MOST_PIXELS = 16_000_000
SMALLEST_SIDE = 16
# Twice what 80 mm printers can draw (576 dots), and 600 dpi on an inch of A4.
WIDEST, HIGHEST = 1152, 576
WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Logo:
    png: bytes
    width: int
    height: int


def read_logo(upload: bytes) -> Logo:
    """Re-encode an uploaded picture. Raises Invalid, PayloadTooLarge."""
    if not upload:
        raise refusal("The body is empty.", "Send the picture's bytes as the body.")
    if len(upload) > LARGEST_UPLOAD:
        raise PayloadTooLarge("The logo is larger than 1 MB.", help="Send at most 1 MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _written(_opened(upload))
    except Invalid:
        raise
    except Image.DecompressionBombError as exc:
        raise refusal("It has far too many pixels.", SMALLER) from exc
    # A hostile file may break a decoder in any way; each means the same to whoever sent it.
    except Exception as exc:
        raise refusal("It cannot be read as a PNG, JPEG or WebP picture.", STEP) from exc


SMALLER = f"Send at most {MOST_PIXELS // 10**6} megapixels."
STEP = "Save it anew as PNG, JPEG or WebP and send that."


def refusal(reason: str, next_step: str) -> Invalid:
    return Invalid("The logo was refused.", problems=[Problem("logo", reason, next_step)])


def _opened(upload: bytes) -> Image.Image:
    """The picture, unpacked and upright; its size is judged first."""
    picture = Image.open(io.BytesIO(upload), formats=FORMATS)
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise refusal(f"It has {width} × {height} pixels.", SMALLER)
    if min(width, height) < SMALLEST_SIDE:
        raise refusal(
            f"It has {width} × {height} pixels.", f"Send at least {SMALLEST_SIDE} each way."
        )
    picture.load()
    return ImageOps.exif_transpose(picture)


def _written(picture: Image.Image) -> Logo:
    """On white, because paper is; no larger than any printer of ours can show."""
    # 16-bit greys become 8-bit by their high byte; a plain conversion would clip them to white.
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda grey: grey / 256).convert("L")
    layered = picture.convert("RGBA")
    flat = Image.new("RGB", layered.size, WHITE)
    flat.paste(layered, mask=layered.getchannel("A"))
    flat.thumbnail((WIDEST, HIGHEST), Image.Resampling.LANCZOS)
    # Very long, thin pictures shrink to less than a dot.
    if min(flat.size) < 1:
        raise refusal("It is too long for its height.", "Send one at most 40 times as long.")
    out = io.BytesIO()
    flat.save(out, "PNG", optimize=True)
    return Logo(out.getvalue(), *flat.size)
