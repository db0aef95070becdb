"""PDF read back: its text, its sizes, its pages and the code in its picture."""

import io
from dataclasses import replace

import pypdf
import pypdfium2
import pytest
import time_machine
import zxingcpp

from sales.models import Label
from sales.receipts.document import build
from sales.receipts.pdf import papers, pen
from sales.receipts.words import WATERMARKS

from .conftest import read
from .papers import BRANDED, LONG, ODD, huge, longer, missing, sale_of
from .shop import sign
from .test_messages import FULL, NOON

PAPERS = {"a4": papers.render_a4, "80mm": papers.render_80, "58mm": papers.render_58}
WIDTHS = {"a4": 595, "80mm": 227, "58mm": 164}
pytestmark = pytest.mark.parametrize("paper", PAPERS)


@pytest.fixture
def document(signed):
    with time_machine.travel(NOON, tick=False):
        return sale_of(signed)


def pages_of(data):
    return pypdf.PdfReader(io.BytesIO(data)).pages


def text_of(data):
    return "\n".join(page.extract_text() for page in pages_of(data))


def sizes_of(page):
    """The size in points of each text on a page, turned or not."""
    sizes: dict[str, float] = {}

    def visit(text, _, matrix, __, size):
        if text.strip():
            scale = (matrix[0] ** 2 + matrix[1] ** 2) ** 0.5
            sizes[text.strip()] = max(sizes.get(text.strip(), 0), size * scale)

    page.extract_text(visitor_text=visit)
    return sizes


def images_of(data, scale=2.0):
    with pypdfium2.PdfDocument(data) as pdf:
        for page in pdf:
            yield page.render(scale=scale).to_pil()
            page.close()


def codes_of(data):
    return [code.text for image in images_of(data) for code in zxingcpp.read_barcodes(image)]


def test_it_says_all_that_is_on_record(document, paper):
    data = PAPERS[paper](document)

    assert missing(document, text_of(data)) == []
    assert len(pages_of(data)) == 1
    assert round(pages_of(data)[0].mediabox.width) == WIDTHS[paper]


def test_its_code_leads_to_kra(document, paper):
    assert codes_of(PAPERS[paper](document)) == [document.qr_url]


def test_equal_receipts_are_equal_files(document, paper):
    assert PAPERS[paper](document) == PAPERS[paper](replace(document))


@pytest.mark.parametrize("label", WATERMARKS)
def test_what_is_not_official_says_so_twice_as_large_as_amounts(signed, paper, label):
    if label.is_credit:
        pytest.skip("a credit note has a test of its own")
    document = build(signed(**FULL), label=label, branding=BRANDED)
    mark = document.watermark
    assert mark

    for page in pages_of(PAPERS[paper](document)):
        sizes = sizes_of(page)
        amounts = max(size for text, size in sizes.items() if str(document.lines[0].amount) in text)
        words = mark.word, *mark.wording.split()
        for word in words:
            largest = max(size for text, size in sizes.items() if word in text)
            assert largest >= 2 * amounts, word


def test_no_original_carries_a_watermark(document, paper):
    text = text_of(PAPERS[paper](document))

    assert "COPY" not in text
    assert "NOT AN OFFICIAL RECEIPT" not in text


def test_the_simulator_says_so_in_large_print(document, paper):
    for page in pages_of(PAPERS[paper](longer(document, 200))):
        sizes = sizes_of(page)
        assert max(size for text, size in sizes.items() if "SIMULATOR" in text) >= 15


def test_production_says_nothing_of_it(document, paper):
    text = text_of(PAPERS[paper](replace(document, environment_notice=None)))

    assert "SIMULATOR" not in text
    assert "NOT A TAX INVOICE" not in text


def test_a_credit_note_is_negative_and_names_its_original(signed, credit, paper):
    signed("T-1", **FULL)
    note = credit(lines=[{"line": 1, "quantity": "1"}])
    sign(note)
    document = build(read(note), label=Label.CREDIT_NOTE, branding=BRANDED)

    text = text_of(PAPERS[paper](document))

    assert missing(document, text) == []
    assert "CREDIT NOTE" in text
    assert "ORIGINAL CU INVOICE NUMBER" in text
    assert all(line.amount.value < 0 for line in document.lines)


def test_two_hundred_lines_and_every_name_in_full(document, paper):
    document = longer(document, 200)
    data = PAPERS[paper](document)
    text = text_of(data)

    assert missing(document, text) == []
    flat = "".join(text.split())
    assert flat.count("".join(LONG.split())) == 66
    assert flat.count("".join(ODD.split()).replace("中文", "??").replace("🙂", "?")) == 67
    if paper == "a4":
        pages = [page.extract_text() for page in pages_of(data)]
        assert len(pages) > 5
        for number, page in enumerate(pages, start=1):
            assert f"Page {number} of {len(pages)}" in page
            has_lines = any(f"{n}. " in page for n in range(1, 201))
            assert ("Unit price" in page) == has_lines
        # The totals are on one page, and so is KRA's signature with its code.
        (totals,) = [page for page in pages if "TOTAL BEFORE DISCOUNT" in page]
        assert "ITEMS NUMBER" in totals
        (signature,) = [page for page in pages if "SCU INFORMATION" in page]
        assert "TIS INFORMATION" in signature


def test_a_receipt_longer_than_any_page_goes_on(document, paper):
    data = PAPERS[paper](longer(document, 999))

    assert text_of(data).count("SCU INFORMATION") == 1
    assert all(page.mediabox.height < 14_400 for page in pages_of(data))


def test_the_largest_amounts_stay_apart_and_on_the_paper(document, paper):
    data = PAPERS[paper](huge(document))

    text = text_of(data)
    assert missing(huge(document), text) == []
    for image in images_of(data):
        dark = image.convert("L").point(lambda grey: 255 if grey < 128 else 0).getbbox()
        assert dark[0] > 4
        assert dark[2] < image.width - 4


def test_kiswahili(signed, paper):
    document = build(signed(**FULL), label=Label.SALE_COPY, language="sw", branding=BRANDED)
    text = "".join(text_of(PAPERS[paper](document)).split())

    for words in ("Ankara ya kodi", "Si risiti rasmi", "punguzo", "Mnunuzi", "TAX INVOICE"):
        assert "".join(words.split()) in text
    assert missing(document, text) == []
    if paper == "a4":
        assert "MaelezoIdadiBeiKiasi" in text


@pytest.mark.parametrize("text", ["", " ", "\u0000", "العربية", "👩‍👩‍👧", "a\u0301", "x" * 500])
def test_no_text_breaks_it(document, paper, text):
    party = replace(document.seller, name=text, address=text)
    lines = tuple(replace(line, name=text) for line in document.lines)

    assert PAPERS[paper](replace(document, seller=party, lines=lines)).startswith(b"%PDF")


def test_what_no_font_has_is_a_question_mark(paper):
    assert pen.drawable("½ kg 中") == "½ kg ?"
