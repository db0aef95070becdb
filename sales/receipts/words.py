"""What receipts say. KRA's words (rules R2, R3, R5) are English in every language, word for word;
around them the company chooses English or Kiswahili.
"""

from dataclasses import dataclass
from typing import Literal

from sales.models import Label

Language = Literal["en", "sw"]
LANGUAGES: tuple[Language, ...] = ("en", "sw")
NOT_OFFICIAL = "NOT AN OFFICIAL RECEIPT"
NOT_AN_INVOICE = "NOT A TAX INVOICE"
COPY, TRAINING, PROFORMA = "COPY", "TRAINING", "PROFORMA"

TITLES = {
    Label.SALE: "TAX INVOICE",
    Label.SALE_COPY: "TAX INVOICE",
    Label.CREDIT_NOTE: "CREDIT NOTE",
    Label.CREDIT_NOTE_COPY: "CREDIT NOTE",
    Label.TRAINING_SALE: "TRAINING SALE",
    Label.TRAINING_CREDIT_NOTE: "TRAINING CREDIT NOTE",
    Label.PROFORMA: "PROFORMA",
}
# Absent: an original, which carries none.
WATERMARKS = {
    Label.SALE_COPY: COPY,
    Label.CREDIT_NOTE_COPY: COPY,
    Label.TRAINING_SALE: TRAINING,
    Label.TRAINING_CREDIT_NOTE: TRAINING,
    Label.PROFORMA: PROFORMA,
}


@dataclass(frozen=True, slots=True)
class Words:
    """The words that are ours to choose, in one language."""

    buyer_pin: str
    buyer: str
    description: str
    price: str
    amount: str
    discount: str
    items: str
    scan: str
    # In its place where KRA's production did not sign.
    scan_trial: str
    check: str
    # What KRA's words mean, printed under them; empty where they need no translation.
    meanings: dict[str, str]
    payments: dict[str, str]


ENGLISH = Words(
    buyer_pin="Buyer PIN",
    buyer="Buyer",
    description="Description",
    price="Unit price × quantity",
    amount="Amount",
    discount="discount",
    items="ITEMS NUMBER",
    scan="Scan to check this receipt with KRA",
    scan_trial="Test receipt: nothing to check at KRA",
    check="Check with KRA",
    meanings={},
    payments={
        "01": "CASH",
        "02": "CREDIT",
        "03": "CASH CREDIT",
        "04": "CHEQUE",
        "05": "CARD",
        "06": "MOBILE MONEY",
        "07": "OTHER",
    },
)
KISWAHILI = Words(
    buyer_pin="PIN ya mnunuzi",
    buyer="Mnunuzi",
    description="Maelezo",
    price="Bei × idadi",
    amount="Kiasi",
    discount="punguzo",
    items="ITEMS NUMBER",
    scan="Changanua ili kuthibitisha risiti hii na KRA",
    scan_trial="Risiti ya majaribio: hakuna cha kuthibitisha KRA",
    check="Thibitisha na KRA",
    meanings={
        "TAX INVOICE": "Ankara ya kodi",
        "CREDIT NOTE": "Hati ya kurejesha",
        "TRAINING SALE": "Mauzo ya mafunzo",
        "TRAINING CREDIT NOTE": "Hati ya kurejesha ya mafunzo",
        "PROFORMA": "Ankara ya awali",
        NOT_OFFICIAL: "Si risiti rasmi",
        NOT_AN_INVOICE: "Si ankara ya kodi",
    },
    payments={
        "01": "TASLIMU",
        "02": "MKOPO",
        "03": "TASLIMU NA MKOPO",
        "04": "HUNDI",
        "05": "KADI",
        "06": "PESA KWA SIMU",
        "07": "NYINGINE",
    },
)
WORDS: dict[str, Words] = {"en": ENGLISH, "sw": KISWAHILI}
