"""A receipt as rules R1–R5 print it, decided once: each format only sets it.

Wording that KRA fixes is ready as text. Amounts are Decimals with the letter they carry; those of
credit notes are negative already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.errors import Problem
from core.money import ZERO
from kra.times import NAIROBI
from sales.errors import NotSigned
from sales.models import LETTERS, Invoice, InvoiceLine, Label, Receipt

from .words import NOT_AN_INVOICE, NOT_OFFICIAL, TITLES, WATERMARKS, WORDS, Language, Words


@dataclass(frozen=True, slots=True)
class Amount:
    """Shillings, and the tax letter printed behind them where a line shows them."""

    value: Decimal
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.value:,.2f}{self.mark}"


@dataclass(frozen=True, slots=True)
class Branding:
    """What a company adds to its receipts. Nothing by default."""

    logo: bytes | None = None
    header: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    language: Language = "en"
    # Of formats that name none: a4, 80mm or 58mm.
    paper: str = "80mm"


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    pin: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """`quantity` without idle zeros; the unit price as sold, never negative."""

    name: str
    unit_price: Amount
    quantity: str
    amount: Amount
    # None: nothing was taken off.
    discount: Amount | None


@dataclass(frozen=True, slots=True)
class Sum:
    caption: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class TaxRow:
    letter: str
    rate: str
    taxable: Amount
    tax: Amount


@dataclass(frozen=True, slots=True)
class ScuBlock:
    """SCU INFORMATION: KRA's signature (rule R2). `internal_data` and `signature` are dashed."""

    date: str
    time: str
    scu_id: str
    cu_invoice_number: str
    counters: str
    internal_data: str
    signature: str


@dataclass(frozen=True, slots=True)
class TisBlock:
    """TIS INFORMATION: the till's own."""

    receipt_number: str
    date: str
    time: str


@dataclass(frozen=True, slots=True)
class Watermark:
    """To be set at least twice as large as the amounts (rule R3)."""

    word: str
    wording: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ReceiptDocument:
    """In the order of the paper."""

    label: Label
    language: Language
    branding: Branding
    watermark: Watermark | None
    seller: Party
    # Of sandbox and simulator, in large print: ("SIMULATOR", "NOT A TAX INVOICE").
    environment_notice: tuple[str, str] | None
    title: str
    # The title in Kiswahili, where the receipt speaks it.
    title_meaning: str
    original_cu_invoice_number: str | None
    buyer: Party | None
    lines: tuple[Line, ...]
    sums: tuple[Sum, ...]
    payments: tuple[Sum, ...]
    items_number: int
    taxes: tuple[TaxRow, ...]
    # None for training and proforma: KRA never saw them.
    scu: ScuBlock | None
    tis: TisBlock
    qr_url: str | None

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    @property
    def scan(self) -> str:
        """Under the QR code: what whoever scans it will find."""
        return self.words.scan_trial if self.environment_notice else self.words.scan


def build(
    invoice: Invoice,
    *,
    label: Label,
    branding: Branding | None = None,
    language: Language | None = None,
    lines: Sequence[InvoiceLine] | None = None,
) -> ReceiptDocument:
    """The receipt of a sale, of a credit note, or of a basket that brings its lines (PS).

    Raises NotSigned: but for training and proforma nothing is printed before KRA's signature (R1).
    """
    branding = branding or Branding()
    language = language or branding.language
    receipt = None if label in _NEVER_SENT else signed_receipt(invoice)
    lines = list(invoice.lines.all()) if lines is None else lines
    words, sign = WORDS[language], -1 if label.is_credit else 1
    return ReceiptDocument(
        label=label,
        language=language,
        branding=branding,
        watermark=_watermark(label, words),
        seller=_seller(invoice),
        environment_notice=_notice(invoice),
        title=TITLES[label],
        title_meaning=words.meanings.get(TITLES[label], ""),
        original_cu_invoice_number=_original(invoice, receipt),
        buyer=_buyer(invoice),
        lines=tuple(_line(line, sign) for line in lines),
        sums=_sums(invoice, lines, sign),
        payments=(Sum(_payment(invoice, words), _turned(sign, invoice.total)),),
        items_number=len(lines),
        taxes=_taxes(invoice, lines, sign),
        scu=_scu(receipt, label) if receipt else None,
        tis=_tis(invoice),
        qr_url=receipt.qr_url if receipt else None,
    )


_NEVER_SENT = (Label.TRAINING_SALE, Label.TRAINING_CREDIT_NOTE, Label.PROFORMA)


def signed_receipt(invoice: Invoice) -> Receipt:
    receipt: Receipt | None = getattr(invoice, "receipt", None)
    if receipt is not None:
        return receipt
    link = f"Give the buyer {invoice.public_url} instead."
    raise NotSigned(
        f"The sale is {invoice.status}. Promise link: {invoice.public_url}",
        problems=[Problem("status", f"It is {invoice.status}.", link)],
    )


def dashed(text: str) -> str:
    """A dash after every four characters (rule R2)."""
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def _watermark(label: Label, words: Words) -> Watermark | None:
    word = WATERMARKS.get(label)
    if word is None:
        return None
    return Watermark(word, NOT_OFFICIAL, words.meanings.get(NOT_OFFICIAL, ""))


def _seller(invoice: Invoice) -> Party:
    company = invoice.company
    return Party(company.trade_name or company.name, company.pin, invoice.branch.address)


def _buyer(invoice: Invoice) -> Party | None:
    if not invoice.customer_pin and not invoice.customer_name:
        return None
    return Party(invoice.customer_name, invoice.customer_pin)


def _notice(invoice: Invoice) -> tuple[str, str] | None:
    environment = invoice.company.environment
    return None if environment == "production" else (environment.upper(), NOT_AN_INVOICE)


def _original(invoice: Invoice, receipt: Receipt | None) -> str | None:
    if receipt is None or invoice.original is None:
        return None
    return str(invoice.original.receipt)


def _line(line: InvoiceLine, sign: int) -> Line:
    mark = _mark(line)
    return Line(
        name=line.name,
        unit_price=Amount(line.unit_price),
        quantity=_plain(line.quantity),
        amount=_turned(sign, line.supply, mark),
        discount=_turned(-sign, line.discount, mark) if line.discount else None,
    )


def _turned(sign: int, value: Decimal, mark: str = "") -> Amount:
    """By minus, not by a product: that knows a negative zero."""
    return Amount(value if sign > 0 else -value, mark)


def _mark(line: InvoiceLine) -> str:
    return "A-EX" if line.letter == "A" else line.letter


def _sums(invoice: Invoice, lines: Sequence[InvoiceLine], sign: int) -> tuple[Sum, ...]:
    """They add up under each of KRA's conventions (rule T3): whether prices have tax in them or
    not, the first is the sum of the lines above it, and the sub-total is what VAT is added to.
    """
    rows = (
        ("TOTAL BEFORE DISCOUNT", sum((line.supply for line in lines), ZERO)),
        ("TOTAL DISCOUNT", -invoice.discount),
        ("SUB TOTAL", invoice.total - invoice.tax),
        ("VAT", invoice.tax),
        ("TOTAL", invoice.total),
    )
    return tuple(Sum(caption, _turned(sign, amount)) for caption, amount in rows)


def _payment(invoice: Invoice, words: Words) -> str:
    return words.payments.get(invoice.payment_method, invoice.payment_method)


def _taxes(invoice: Invoice, lines: Sequence[InvoiceLine], sign: int) -> tuple[TaxRow, ...]:
    rates = {line.letter: line.rate for line in lines}
    return tuple(
        TaxRow(
            letter,
            f"{_plain(rates[letter])}%",
            _turned(sign, getattr(invoice, f"taxable_{letter.lower()}")),
            _turned(sign, getattr(invoice, f"tax_{letter.lower()}")),
        )
        for letter in LETTERS
        if letter in rates
    )


def _scu(receipt: Receipt, label: Label) -> ScuBlock:
    date, time = _moment(receipt.signed_at)
    return ScuBlock(
        date=date,
        time=time,
        scu_id=receipt.scu_id,
        cu_invoice_number=str(receipt),
        counters=f"{receipt.receipt_number}/{receipt.total_receipts} {label.value}",
        internal_data=dashed(receipt.internal_data),
        signature=dashed(receipt.signature),
    )


def _tis(invoice: Invoice) -> TisBlock:
    return TisBlock(invoice.reference, *_moment(invoice.sold_at))


def _moment(moment: datetime) -> tuple[str, str]:
    there = moment.astimezone(NAIROBI)
    return f"{there:%d/%m/%Y}", f"{there:%H:%M:%S}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
