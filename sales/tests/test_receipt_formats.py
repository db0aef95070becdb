"""Each format says what the document decided, however odd the sale."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO

import msgspec
import pytest
import time_machine
import zxingcpp
from PIL import Image

from sales.receipts import html, qr, text
from sales.receipts.document import Branding, build
from sales.receipts.formats import FORMATS, FormatUnknown, by_media_type, by_suffix
from sales.receipts.printing import copy_label, document_of, original_label

from .conftest import read
from .pictures import REWRITES
from .shop import sign
from .test_messages import FULL, GOLDEN, NOON

LETTERS = [
    {"item": "KETTLE", "quantity": "1", "tax": letter, "unit_price": "1000.00"}
    for letter in "ABCDE"
]
# The largest that KRA's fields hold.
HUGE = [{"item": "SEED", "quantity": "1", "unit_price": "9999999999999.99"}]


class Texts(HTMLParser):
    """What a reader of the page sees."""

    def __init__(self):
        super().__init__()
        self.seen, self.skip = [], False

    def handle_starttag(self, tag, attrs):
        self.skip = tag == "style"

    def handle_endtag(self, tag):
        self.skip = False

    def handle_data(self, data):
        if not self.skip and data.strip():
            self.seen.append(data.strip())


def seen(page):
    parser = Texts()
    parser.feed(page.decode())
    return parser.seen


def original(invoice, **more):
    return build(invoice, label=original_label(invoice), **more)


def printed_facts(document):
    """All that rules R2–R4 want on the paper."""
    scu, tis = document.scu, document.tis
    yield from (document.seller.name, document.seller.address, f"PIN: {document.seller.pin}")
    yield document.title
    for line in document.lines:
        yield from (line.name, str(line.amount), *([str(line.discount)] if line.discount else []))
    for each in (*document.sums, *document.payments):
        yield from (each.caption, str(each.amount))
    for row in document.taxes:
        yield from (f"{row.letter} {row.rate}", str(row.taxable), str(row.tax))
    yield from ("SCU INFORMATION", scu.date, scu.time, scu.scu_id, scu.cu_invoice_number)
    yield from (scu.counters, scu.internal_data, scu.signature)
    yield from ("TIS INFORMATION", tis.receipt_number, tis.date, tis.time)


@pytest.mark.parametrize(
    ("_case", "sale"),
    [
        ("everything", FULL),
        ("every letter", {"lines": LETTERS, "prices_include_tax": True}),
        ("as large as can be", {"lines": HUGE, "prices_include_tax": True}),
        ("many lines", {"lines": [{"item": "KETTLE", "quantity": "0.01"}] * 200}),
    ],
)
def test_html_and_text_print_all_that_the_rules_ask_for(signed, _case, sale):
    document = original(signed(**sale))

    page = " ".join(seen(html.render(document)))
    wide, narrow = text.lay_out(document), text.lay_out(document, 32)

    for fact in printed_facts(document):
        assert fact in page
        assert fact in wide
        assert re.sub(r"\s", "", fact) in re.sub(r"\s", "", narrow)


def test_text_keeps_to_the_papers_width(signed, credit):
    signed("T-1", prices_include_tax=True, lines=HUGE)
    note = credit()
    sign(note)
    document = original(read(note), language="sw")

    for width in (42, 32):
        rows = text.lay_out(document, width).splitlines()
        assert [row for row in rows if len(row) > width] == [document.qr_url]
        assert any(row.strip() == "-9,999,999,999,999.99A-EX" for row in rows) or width == 42
    assert "ORIGINAL CU INVOICE NUMBER" in text.lay_out(document)


def test_every_letter_has_its_row_and_its_mark(signed):
    document = original(signed(lines=LETTERS, prices_include_tax=True))

    assert [row.letter for row in document.taxes] == list("ABCDE")
    assert [line.amount.mark for line in document.lines] == ["A-EX", "B", "C", "D", "E"]
    assert str(document.lines[0].amount) == "1,000.00A-EX"
    assert sum(row.taxable.value + row.tax.value for row in document.taxes) == Decimal("5000.00")


def test_no_zero_is_negative(signed, credit):
    signed("T-1", lines=LETTERS, prices_include_tax=True)
    note = credit()
    sign(note)
    document = original(read(note))

    assert str(document.taxes[0].tax) == "0.00"
    for page in (html.render(document).decode(), text.lay_out(document)):
        assert not re.search(r"-0\.00", page)


def test_long_names_are_never_cut(signed, device):
    name = "Kikapu cha matunda ya msimu " * 7
    device.company.items.filter(sku="KETTLE").update(name=name.strip()[:200])
    document = original(signed())

    for width in (42, 32):
        joined = " ".join(text.lay_out(document, width).split())
        assert name.strip()[:200] in joined
    assert name.strip()[:200] in seen(html.render(document))


def size_of(selector, style):
    found = re.search(rf"{re.escape(selector)} {{ [^}}]*?font(?:-size)?: ([\d.]+)", style)
    assert found
    return float(found[1])


def test_what_must_be_large_is_twice_the_size_of_amounts(signed):
    sale = signed()
    document = build(sale, label=copy_label(sale))

    screen, _, paper = html.STYLE.partition("@media print")
    page = html.render(document).decode()

    # Amounts have the size of the body: no rule of theirs says another.
    assert size_of("body", screen) == 16
    assert size_of(".mark, .notice", screen) >= 2  # rem
    assert size_of(".mark, .notice", paper) >= 2 * size_of("body", paper)
    assert page.count('class="mark"') == 2
    assert 'class="notice"' in page
    assert text.lay_out(document).count("C O P Y") == 2


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize("name", ["sale.html", "sale_58_sw.txt", "copy.txt", "sale_receipt.json"])
def test_it_is_as_it_was_looked_at(signed, name):
    sale = signed("TILL1-000123", **FULL)
    made = {
        "sale.html": lambda: html.render(original(sale)),
        "sale_58_sw.txt": lambda: text.render_58(original(sale, language="sw")),
        "copy.txt": lambda: text.render(build(sale, label=copy_label(sale))),
        "sale_receipt.json": lambda: msgspec.json.format(FORMATS["json"].render(original(sale))),
    }

    if REWRITES:
        (GOLDEN / name).write_bytes(made[name]())

    assert made[name]().decode() == (GOLDEN / name).read_text(encoding="utf-8")


def test_json_says_amounts_as_text(signed):
    data = msgspec.json.decode(FORMATS["json"].render(original(signed(**FULL))))

    assert data["lines"][0]["amount"] == {"value": "4640.00", "mark": "B"}
    assert data["label"] == "NS"
    assert data["scu"]["cu_invoice_number"] == "KRACU0100000001/1"


def test_the_qr_code_reads_back_from_the_picture(signed):
    document = original(signed())

    picture = Image.open(BytesIO(qr.render_png(document))).convert("L")

    (code,) = zxingcpp.read_barcodes(picture)
    assert code.text == document.qr_url
    assert code.text.endswith("?Data=A123456789Z00V249J39CFJ48HE2W")
    svg = qr.render_svg(document)
    assert svg.startswith(b"<?xml")
    assert b"<path" in svg


def test_branding_is_shown_and_hostile_words_stay_words(signed, device):
    hostile = "<script>alert(1)</script>"
    branding = Branding(b"\x89PNG0", ("Since 1963", hostile), ("Asante, karibu tena",), "sw")

    document = original(signed(customer={"name": hostile}), branding=branding)
    page = html.render(document)

    assert hostile.encode() not in page
    assert seen(page).count(hostile) == 1
    assert b'src="data:image/png;base64,' in page
    for words in ("Since 1963", "Asante, karibu tena", "Ankara ya kodi"):
        assert words in seen(page)
    assert "Asante, karibu tena" in text.lay_out(document)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_training_has_no_qr_code(accept, suffix):
    sale = read(accept(training=True).invoice)
    document = document_of(sale, original_label(sale))

    with pytest.raises(Exception, match="has no QR code"):
        FORMATS[suffix].render(document)


def test_unknown_formats_are_told_which_there_are():
    for ask in (lambda: by_suffix("docx"), lambda: by_media_type(None)):
        with pytest.raises(FormatUnknown) as refused:
            ask()
        (problem,) = refused.value.problems
        for format in FORMATS.values():
            assert format.media_type in problem.next_step
            assert format.suffix in problem.next_step
