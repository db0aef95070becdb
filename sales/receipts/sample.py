"""A receipt of nothing: to see how a company's branding looks before a buyer does."""

from decimal import Decimal

from django.conf import settings

from companies.models import Company
from sales.models import Label

from .branding import branding_for
from .document import (
    Amount,
    Line,
    Party,
    ReceiptDocument,
    ScuBlock,
    Sum,
    TaxRow,
    TisBlock,
    Watermark,
)
from .words import NOT_OFFICIAL, TITLES, WORDS

SAMPLE = "SAMPLE"
# Name, unit price, quantity, amount, letter, discount.
GOODS = [
    ("Electric kettle 1.7 l", "2320.00", "2", "4640.00", "B", "464.00"),
    ("Unga wa mahindi, 2 kg", "230.00", "3", "690.00", "C", ""),
    ("Certified seed, hybrid maize, early maturing, two kilograms", "350.00", "1", "350.00",
     "A-EX", ""),
]  # fmt: skip
SUMS = [
    ("TOTAL BEFORE DISCOUNT", "5680.00"),
    ("TOTAL DISCOUNT", "-464.00"),
    ("SUB TOTAL", "4640.00"),
    ("VAT", "576.00"),
    ("TOTAL", "5216.00"),
]
TAXES = [("A", "0%", "350.00", "0.00"), ("B", "16%", "3600.00", "576.00"),
         ("C", "0%", "690.00", "0.00")]  # fmt: skip


def sample_document(company: Company) -> ReceiptDocument:
    """Watermarked, and signed by nobody."""
    branding = branding_for(company.pk)
    words = WORDS[branding.language]
    branch = company.branches.order_by("-is_head_office", "code").first()
    return ReceiptDocument(
        label=Label.SALE,
        language=branding.language,
        branding=branding,
        watermark=Watermark(SAMPLE, NOT_OFFICIAL, words.meanings.get(NOT_OFFICIAL, "")),
        seller=Party(
            company.trade_name or company.name, company.pin, branch.address if branch else ""
        ),
        environment_notice=None,
        title=TITLES[Label.SALE],
        title_meaning=words.meanings.get(TITLES[Label.SALE], ""),
        original_cu_invoice_number=None,
        buyer=Party("Mfano Hotel Ltd", "P000000000X"),
        lines=tuple(_line(*goods) for goods in GOODS),
        sums=tuple(Sum(caption, Amount(Decimal(amount))) for caption, amount in SUMS),
        payments=(Sum(words.payments["06"], Amount(Decimal("5216.00"))),),
        items_number=len(GOODS),
        taxes=tuple(
            TaxRow(letter, rate, Amount(Decimal(taxable)), Amount(Decimal(tax)))
            for letter, rate, taxable, tax in TAXES
        ),
        scu=ScuBlock("01/01/2026", "12:00:00", SAMPLE, f"{SAMPLE}/0", f"0/0 {SAMPLE}",
                     "SAMP-LESA-MPLE-SAMP-LESA-MPLE-SA", "SAMP-LESA-MPLE-SAMP"),
        tis=TisBlock(SAMPLE, "01/01/2026", "12:00:00"),
        qr_url=settings.PUBLIC_URL,
    )  # fmt: skip


def _line(*goods: str) -> Line:
    name, price, quantity, amount, mark, discount = goods
    less = Amount(-Decimal(discount), mark) if discount else None
    return Line(name, Amount(Decimal(price)), quantity, Amount(Decimal(amount), mark), less)
