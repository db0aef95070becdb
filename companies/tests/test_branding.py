"""How receipts look: what is stored of a logo, what is refused, and whose it is."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from companies.branding.logos import HIGHEST, WIDEST, read_logo
from companies.models import Branding, Scope
from core.errors import Invalid, PayloadTooLarge

URL, LOGO = "/api/company/branding/", "/api/company/branding/logo/"
DEFAULTS: dict[str, Any] = {
    "header": [], "footer": [], "language": "en", "paper": "80mm", "logo": None,
    "updated_at": None,
}  # fmt: skip


def picture(format="PNG", size=(200, 100), mode="RGB", color="navy", **options):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, format, **options)
    return out.getvalue()


def stored(logo):
    return Image.open(io.BytesIO(logo.png))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width, height):
    """A PNG of few bytes that says it is huge."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_it_re_encodes_every_accepted_format_as_png(format):
    logo = read_logo(picture(format))

    assert (stored(logo).format, stored(logo).mode, stored(logo).size) == ("PNG", "RGB", (200, 100))
    assert (logo.width, logo.height) == (200, 100)


def test_it_keeps_pixels_and_nothing_else():
    about = PngInfo()
    about.add_text("Comment", "where it was taken")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    for upload in (picture(pnginfo=about, exif=exif), picture("JPEG", exif=exif)):
        logo = read_logo(upload + b"<script>behind the picture</script>")

        assert stored(logo).info == {}
        assert b"home" not in logo.png
        assert b"script" not in logo.png


def test_it_turns_a_photo_upright():
    exif = Image.Exif()
    exif[0x0112] = 6

    assert stored(read_logo(picture("JPEG", exif=exif))).size == (100, 200)


def test_it_lays_transparency_on_white():
    assert stored(read_logo(picture(mode="RGBA", color=(0, 0, 0, 0)))).getpixel((5, 5)) == (
        255, 255, 255
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "I;16"])
def test_it_reads_every_kind_of_png(mode):
    image = stored(read_logo(picture(mode=mode, color=None)))

    assert image.mode == "RGB"


def test_it_does_not_clip_sixteen_bit_greys():
    assert stored(read_logo(picture(mode="I;16", color=0x8000))).getpixel((0, 0)) == (128,) * 3


def test_it_bounds_the_size():
    logo = read_logo(picture(size=(4000, 3000)))

    assert logo.width <= WIDEST
    assert logo.height <= HIGHEST


@pytest.mark.parametrize(
    ("_case", "upload", "reason"),
    [
        ("nothing", b"", "empty"),
        ("text", b"hello", "cannot be read"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read"),
        ("gif", picture("GIF"), "cannot be read"),
        ("tiff", picture("TIFF"), "cannot be read"),
        ("cut", picture("JPEG")[:300], "cannot be read"),
        ("bomb", bomb(50_000, 50_000), "far too many pixels"),
        ("just too many", bomb(4001, 4000), "4001 × 4000"),
        ("a dot", picture(size=(1, 1)), "1 × 1"),
        ("text bomb", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
            ">IIBBBBB", 20, 20, 8, 2, 0, 0, 0)) + chunk(b"zTXt", b"a\0\0" + zlib.compress(
                b"x" * 200_000_000)) + chunk(b"IEND", b""), "cannot be read"),
    ],
)  # fmt: skip
def test_it_refuses(_case, upload, reason):
    with pytest.raises(Invalid) as caught:
        read_logo(upload)

    (problem,) = caught.value.problems
    assert problem.field == "logo"
    assert reason in problem.reason
    assert problem.next_step


def test_it_refuses_a_large_file():
    with pytest.raises(PayloadTooLarge):
        read_logo(b"\x89PNG" + b"0" * 1_048_576)


def test_a_company_without_branding_has_the_defaults(api, alpha):
    assert api(alpha).get(URL).json() == DEFAULTS
    assert not Branding.objects.exists()


def test_it_changes_only_what_is_named(api, alpha, beta):
    client = api(alpha)
    client.patch(URL, {"header": ["Karibu"], "language": "sw"}, format="json")

    body = client.patch(URL, {"paper": "a4", "footer": ["Asante"]}, format="json").json()

    assert body.pop("updated_at")
    assert body == {
        "header": ["Karibu"], "footer": ["Asante"], "language": "sw", "paper": "a4", "logo": None,
    }  # fmt: skip
    assert api(beta).get(URL).json() == DEFAULTS


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"header": ["x"] * 6}, "header"),
        ({"footer": ["x"] * 9}, "footer"),
        ({"footer": ["x" * 61]}, "footer"),
        ({"header": ["two\nlines"]}, "header[0]"),
        ({"header": "one"}, "header"),
        ({"language": "fr"}, "language"),
        ({"paper": "letter"}, "paper"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_it_refuses_a_change_and_names_the_field(api, alpha, body, field):
    response = api(alpha).patch(URL, body, format="json")

    assert response.status_code == 400
    (problem,) = response.json()["error"]["detail"]
    assert problem["field"].startswith(field)
    assert problem["next_step"]
    assert not Branding.objects.exists()


def put(client, upload, kind="image/png"):
    return client.generic("PUT", LOGO, upload, content_type=kind)


def test_the_logo_comes_and_goes(api, alpha, beta):
    client = api(alpha)
    client.patch(URL, {"language": "sw"}, format="json")

    answer = put(client, picture("WEBP"), "image/webp").json()

    assert answer["logo"] == {"width": 200, "height": 100, "bytes": answer["logo"]["bytes"],
                              "url": LOGO}  # fmt: skip
    assert answer["language"] == "sw"
    shown = client.get(LOGO)
    assert shown["Content-Type"] == "image/png"
    assert len(shown.content) == answer["logo"]["bytes"]
    assert api(beta).get(LOGO).status_code == 404
    assert client.delete(LOGO).json()["logo"] is None
    assert client.delete(LOGO).status_code == 200
    assert client.get(LOGO).status_code == 404


def test_a_refused_logo_leaves_the_old_one(api, alpha):
    client = api(alpha)
    put(client, picture())
    before = client.get(LOGO).content

    for upload, kind, status in [
        (b"no picture", "image/png", 400),
        (picture(), "application/json", 415),
        (b"0" * (1_048_576 + 1), "image/png", 413),
        (b"0" * (5 * 1_048_576), "image/png", 413),
    ]:
        assert put(client, upload, kind).status_code == status

    assert client.get(LOGO).content == before


def test_a_till_may_look_and_not_change(api, alpha):
    client = api(alpha, scopes=[Scope.SALES_READ.value])

    assert client.get(URL).status_code == 200
    assert client.patch(URL, {"paper": "a4"}, format="json").status_code == 403
    assert put(client, picture()).status_code == 403


def test_the_operator_names_the_company(api, alpha):
    client = api()

    assert client.get(URL).status_code == 400
    assert (
        client.patch(f"{URL}?company={alpha.pin}", {"paper": "a4"}, format="json").json()["paper"]
        == "a4"
    )
    assert put(client, picture()).status_code == 400
