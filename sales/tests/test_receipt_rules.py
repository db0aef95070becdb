"""Rules R1–R5 word for word, in every format and under every label: what must be on the paper is
written here by hand, not taken from the program.
"""

import io
from decimal import Decimal

import msgspec
import pypdf
import pytest

from sales.models import Label, Receipt
from sales.receipts.document import build
from sales.receipts.formats import FORMATS

from .conftest import read
from .escpos_reader import read as read_escpos
from .shop import sign
from .test_receipt_formats import seen

BASKET = {
    "customer": {"pin": "P051234567Q", "name": "Mama Njeri Hotel"},
    "prices_include_tax": True,
    "lines": [
        {"item": "KETTLE", "quantity": "2", "unit_price": "1160.00", "discount_percent": "10"},
        {"item": "SEED", "quantity": "3"},
        {"item": "BREAD", "quantity": "1"},
        {"item": "FIT", "quantity": "1", "tax": "D"},
    ],
}
HEAD = ["Baraka Stores", "Moi Avenue, Nairobi", "A123456789Z", "SIMULATOR", "NOT A TAX INVOICE"]
BUYER = ["P051234567Q", "Mama Njeri Hotel"]
LINES = ["Electric kettle 1.7 l", "Certified seed", "Brown bread 400 g", "Fitting service"]
UNIT_PRICES = ["1,160.00", "350.00"]
AMOUNTS = ["2,320.00B", "-232.00B", "1,050.00A-EX", "65.00C", "1,000.00D"]
SUMS = {
    "TOTAL BEFORE DISCOUNT": "4,435.00", "TOTAL DISCOUNT": "-232.00", "SUB TOTAL": "3,915.00",
    "VAT": "288.00", "TOTAL": "4,203.00", "CASH": "4,203.00",
}  # fmt: skip
TAXES = {"A": ("0%", "1,050.00", "0.00"), "B": ("16%", "1,800.00", "288.00"),
         "C": ("0%", "65.00", "0.00"), "D": ("0%", "1,000.00", "0.00")}  # fmt: skip
# sdcDateTime 07:15:42 UTC is 10:15:42 in Nairobi; 26 and 16 characters, dashed by four.
SCU = [
    "22/11/2026", "10:15:42", "KRACU0100000001", "A2B3-C4D5-E6F7-G2H3-I4J5-K6L7-M2",
    "V249-J39C-FJ48-HE2W",
]  # fmt: skip
TITLES = {
    Label.SALE: "TAX INVOICE", Label.SALE_COPY: "TAX INVOICE", Label.CREDIT_NOTE: "CREDIT NOTE",
    Label.CREDIT_NOTE_COPY: "CREDIT NOTE", Label.TRAINING_SALE: "TRAINING",
    Label.TRAINING_CREDIT_NOTE: "TRAINING", Label.PROFORMA: "PROFORMA",
}  # fmt: skip
MARKS = {"CS": "COPY", "CC": "COPY", "TS": "TRAINING", "TC": "TRAINING", "PS": "PROFORMA"}
PAPERS = ["txt", "txt58", "html", "pdf210", "pdf80", "pdf58", "escpos80", "escpos58"]


def turned(amount):
    return amount[1:] if amount.startswith("-") else f"-{amount}"


def flat(text):
    return "".join(text.split())


def on_paper(suffix, data):
    if suffix.startswith("pdf"):
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    if suffix.startswith("escpos"):
        return read_escpos(data, 576 if suffix == "escpos80" else 384).text
    return " ".join(seen(data)) if suffix == "html" else data.decode()


@pytest.fixture
def documents(sell, credit, accept):
    """One of each label. KRA's counters are not our number (rule N6)."""
    sale = sell("T-1", **BASKET)
    sign(sale, number=5)
    Receipt.objects.update(receipt_number=7, total_receipts=9)
    note = credit("C-1")
    sign(note, number=6)
    Receipt.objects.filter(invoice=note).update(receipt_number=8, total_receipts=10)
    training = accept("T-2", training=True, **BASKET).invoice
    of = {label: read(note if label.is_credit else sale) for label in Label}
    of |= {label: read(training) for label in (Label.TRAINING_SALE, Label.PROFORMA)}
    return {label: build(invoice, label=label) for label, invoice in of.items()}


def required(label):
    """All that the rules want under this label."""
    sign_of = turned if label.is_credit else str
    is_signed = label.value not in ("TS", "TC", "PS")
    # Training is told in words that are twice as large; its title says so as well.
    yield from (*HEAD, TITLES[label], *BUYER, *LINES, *UNIT_PRICES, *map(sign_of, AMOUNTS))
    for caption, amount in SUMS.items():
        yield f"{caption}{sign_of(amount)}"
    yield "ITEMS NUMBER4"
    for letter, (rate, taxable, tax) in TAXES.items():
        zero_stays = tax if tax == "0.00" else sign_of(tax)
        yield f"{letter}{rate}{sign_of(taxable)}{zero_stays}"
    yield from ("TIS INFORMATION", "Receipt:")
    if is_signed:
        number, counters = ("8", "8/10") if label.is_credit else ("7", "7/9")
        yield from ("SCU INFORMATION", *SCU, f"CU INVOICE NUMBER: KRACU0100000001/{number}")
        yield f"Receipt: {counters} {label.value}"
    else:
        yield label.value
    if label.is_credit and is_signed:
        yield from ("ORIGINAL CU INVOICE NUMBER", "KRACU0100000001/7")
    if label.value in MARKS:
        yield from (MARKS[label.value], "NOT AN OFFICIAL RECEIPT")


@pytest.mark.parametrize("suffix", PAPERS)
def test_every_paper_has_every_piece_under_every_label(documents, suffix):
    missing: dict[str, list[str]] = {}
    for label, document in documents.items():
        text = flat(on_paper(suffix, FORMATS[suffix].render(document)))
        lacking = [piece for piece in required(label) if flat(piece) not in text]
        missing |= {label.value: lacking} if lacking else {}
        is_official = label in (Label.SALE, Label.CREDIT_NOTE)
        assert ("NOTANOFFICIALRECEIPT" in text) != is_official
        assert ("SCUINFORMATION" in text) == (document.scu is not None)
        for other in Label:
            # No second label anywhere behind the counters.
            assert other is label or f"7/9{other.value}" not in text

    assert missing == {}


def values(json):
    """Every text and amount in it, amounts as they are printed."""
    if isinstance(json, dict) and json.keys() == {"value", "mark"}:
        yield f"{Decimal(json['value']):,.2f}{json['mark']}"
    elif isinstance(json, dict | list):
        for each in json.values() if isinstance(json, dict) else json:
            yield from values(each)
    else:
        yield str(json)


def test_json_has_every_piece_under_every_label(documents):
    for label, document in documents.items():
        found = set(values(msgspec.json.decode(FORMATS["json"].render(document))))
        sign_of = turned if label.is_credit else str
        assert {*HEAD, *BUYER, *LINES, *UNIT_PRICES, *map(sign_of, AMOUNTS)} <= found
        assert {*SUMS, *map(sign_of, SUMS.values()), "4", label.value} <= found
        if document.scu:
            number, counters = ("8", "8/10") if label.is_credit else ("7", "7/9")
            assert {*SCU, f"KRACU0100000001/{number}", f"{counters} {label.value}"} <= found
        if document.watermark:
            assert {MARKS[label.value], "NOT AN OFFICIAL RECEIPT"} <= found


@pytest.mark.parametrize("convention", ["inclusive-split", "net-base", "gross-all"])
def test_the_sums_add_up_under_every_convention(sell, settings, convention):
    settings.KRA_TAX_CONVENTIONS = {"direct": convention}
    sale = sell("T-1", **BASKET)
    sign(sale)
    document = build(read(sale), label=Label.SALE)
    sums = {each.caption: each.amount.value for each in document.sums}

    assert sums["TOTAL BEFORE DISCOUNT"] == sum(line.amount.value for line in document.lines)
    assert sums["TOTAL DISCOUNT"] == sum(line.discount.value for line in document.lines
                                         if line.discount)  # fmt: skip
    assert sums["SUB TOTAL"] + sums["VAT"] == sums["TOTAL"] == Decimal("4203.00")
