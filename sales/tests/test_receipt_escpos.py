"""ESC/POS bytes read back by a printer made of Python."""

from dataclasses import replace

import pytest
import time_machine
import zxingcpp

from companies.models import Company
from sales.models import Label
from sales.receipts import escpos
from sales.receipts.document import Branding, build
from sales.receipts.formats import FORMATS

from .escpos_reader import read
from .papers import BRANDED, ODD, huge, longer, missing, sale_of
from .test_messages import FULL, GOLDEN, NOON

ROLLS = {"80mm": (escpos.render_80, 576, 48), "58mm": (escpos.render_58, 384, 32)}
each_roll = pytest.mark.parametrize("roll", ROLLS)


@pytest.fixture
def document(signed):
    with time_machine.travel(NOON, tick=False):
        return sale_of(signed)


def printed(document, roll):
    render, dots, _ = ROLLS[roll]
    return read(render(document), dots)


@each_roll
def test_it_says_all_that_is_on_record(document, roll):
    paper = printed(document, roll)

    assert missing(document, paper.text) == []
    assert paper.cuts == 1
    assert paper.code_pages == [0]


@each_roll
def test_it_is_set_as_it_was_checked_by_eye(document, roll):
    """Text, size and weight; the pictures have tests of their own."""
    rows = [f"{row.scale}{'b' if row.is_bold else ' '} {row.text}".rstrip()
            for row in printed(document, roll).rows]  # fmt: skip

    assert "\n".join(rows) + "\n" == (GOLDEN / f"sale_escpos_{roll}.txt").read_text("utf-8")


@each_roll
def test_its_code_leads_to_kra(document, roll):
    logo, code = printed(document, roll).pictures

    assert [found.text for found in zxingcpp.read_barcodes(code)] == [document.qr_url]
    assert ROLLS[roll][1] / 4 < code.width <= ROLLS[roll][1]
    assert logo.width <= ROLLS[roll][1] * 2 // 3 + 7


@each_roll
def test_a_printer_may_draw_the_code_itself(document, roll, settings):
    settings.ESCPOS_QR = "native"
    paper = printed(document, roll)

    assert paper.qr == [document.qr_url]
    assert len(paper.pictures) == 1


@each_roll
def test_no_row_is_wider_than_the_paper(document, roll):
    for each in (document, huge(document), longer(document, 30)):
        paper = printed(each, roll)
        assert [row for row in paper.rows if len(row.text) * row.scale > ROLLS[roll][2]] == []


@each_roll
def test_the_largest_amounts_are_whole(document, roll):
    assert missing(huge(document), printed(huge(document), roll).text) == []


@each_roll
@pytest.mark.parametrize("label", [Label.SALE_COPY, Label.TRAINING_SALE, Label.PROFORMA])
def test_what_is_not_official_says_so_twice_as_large(signed, roll, label):
    document = build(signed(**FULL), label=label)
    mark, paper = document.watermark, printed(document, roll)

    assert mark
    large = " ".join(row.text for row in paper.rows if row.scale == 2)
    words = f"{mark.word} NOT AN OFFICIAL RECEIPT"
    assert large.count(words) == 2
    assert {row.scale for row in paper.rows if str(document.lines[0].amount) in row.text} == {1}


@each_roll
def test_the_simulator_says_so_in_large_print(document, roll):
    large = [row.text for row in printed(document, roll).rows if row.scale == 2]

    assert " ".join(large) == "SIMULATOR NOT A TAX INVOICE"


def test_forty_two_columns(document, settings):
    settings.ESCPOS_COLUMNS_80 = 42
    paper = read(escpos.render_80(document), 42 * 12)

    assert max(len(row.text) for row in paper.rows) == 42
    assert missing(document, paper.text) == []


def test_paper_may_be_left_uncut(document, settings):
    settings.ESCPOS_CUT = False

    assert read(escpos.render_80(document), 576).cuts == 0


def test_it_takes_the_companys_roll(document):
    on_58 = replace(document, branding=replace(BRANDED, paper="58mm"))
    on_a4 = replace(document, branding=replace(BRANDED, paper="a4"))

    assert FORMATS["escpos"].render(on_58) == escpos.render_58(on_58)
    assert FORMATS["escpos"].render(on_a4) == escpos.render_80(on_a4)


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        (ODD, "Unga - ½ kg · naïve café ñandú EUR5 ?? ?"),
        ("“Šećer” – 2×", '"Secer" - 2x'),
        ("e\u0301", "e"),
        ("a\x1b@b\x1dV0\n\x00", "a?@b?V0??"),
        ("\ud800", "?"),
    ],
)
def test_every_text_can_be_printed(text, spelt):
    assert escpos.printable(text) == spelt


@each_roll
def test_a_name_gives_the_printer_no_orders(signed, roll):
    """Opening the drawer, for one."""
    sale = signed(**FULL)
    Company.objects.update(name="Shop\x1bp\x19\x19\x1dV1")
    document = build(type(sale).objects.whole().get(pk=sale.pk), label=Label.SALE)

    assert printed(document, roll).cuts == 1


@each_roll
def test_equal_receipts_are_equal_bytes_and_nothing_is_said_aside(document, roll, capfd):
    render = ROLLS[roll][0]

    assert render(document) == render(replace(document))
    assert capfd.readouterr() == ("", "")


@each_roll
def test_a_plain_company_prints_too(document, roll):
    plain = replace(document, branding=Branding())

    assert len(printed(plain, roll).pictures) == 1
