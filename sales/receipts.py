"""The receipt of a signed sale as plain text (rules R1–R4), 42 columns."""

from decimal import Decimal

from kra.times import NAIROBI

from .errors import NotSigned
from .models import LETTERS, Invoice, InvoiceLine, Kind, Receipt
from .words import PAYMENT_NAMES

WIDTH = 42
RULE = "-" * WIDTH


COPY_MARK = ["COPY".center(WIDTH).rstrip(), "NOT AN OFFICIAL RECEIPT".center(WIDTH).rstrip()]


def text_receipt(invoice: Invoice, *, is_copy: bool = False) -> str:
    """Raises NotSigned, with the state: nothing fiscal is printed before KRA's signature.

    The original is printed once; a copy says so above and below, and in its label (rule R3).
    """
    receipt: Receipt | None = getattr(invoice, "receipt", None)
    if receipt is None:
        raise NotSigned(f"The sale is {invoice.status}. Promise link: {invoice.public_url}")
    parts = [
        _head(invoice),
        _lines(invoice),
        _sums(invoice),
        _tax(invoice),
        _unit(invoice, receipt, "C" if is_copy else "N"),
    ]
    if is_copy:
        parts = [COPY_MARK, *parts, COPY_MARK]
    return "\n".join([line for part in parts for line in [*part, RULE]]) + "\n"


def _head(invoice: Invoice) -> list[str]:
    company, is_credit = invoice.company, invoice.kind == Kind.CREDIT_NOTE
    lines = [company.trade_name or company.name, invoice.branch.address, f"PIN: {company.pin}"]
    if company.environment != "production":
        lines.append(f"*** {company.environment.upper()}: NOT A TAX INVOICE ***")
    lines.append("CREDIT NOTE" if is_credit else "TAX INVOICE")
    if is_credit and invoice.original is not None:
        original = invoice.original.receipt
        lines += ["ORIGINAL CU INVOICE NUMBER:", str(original)]
    if invoice.customer_pin:
        lines.append(f"Buyer PIN: {invoice.customer_pin}")
    if invoice.customer_name:
        lines.append(f"Buyer: {invoice.customer_name}")
    return [line.center(WIDTH).rstrip() for line in lines if line]


def _lines(invoice: Invoice) -> list[str]:
    printed = []
    for line in invoice.lines.all():
        printed.append(line.name[:WIDTH])
        left = f"  {_amount(line.unit_price)} x {line.quantity.normalize():f}"
        printed.append(_pair(left, _signed(invoice, line.supply) + _mark(line)))
        if line.discount:
            printed.append(_pair("  discount", f"{_signed(invoice, -line.discount)}{_mark(line)}"))
    return printed


def _mark(line: InvoiceLine) -> str:
    return "A-EX" if line.letter == "A" else line.letter


def _sums(invoice: Invoice) -> list[str]:
    rows = [
        ("TOTAL BEFORE DISCOUNT", invoice.total + invoice.discount),
        ("TOTAL DISCOUNT", -invoice.discount),
        ("SUB TOTAL", invoice.taxable),
        ("VAT", invoice.tax),
        ("TOTAL", invoice.total),
    ]
    lines = [_pair(name, _signed(invoice, amount)) for name, amount in rows]
    method = PAYMENT_NAMES.get(invoice.payment_method, invoice.payment_method)
    lines.append(_pair(method.replace("_", " ").upper(), _signed(invoice, invoice.total)))
    return [*lines, _pair("ITEMS NUMBER", str(len(invoice.lines.all())))]


def _tax(invoice: Invoice) -> list[str]:
    lines = ["      Taxable amount            Tax"]
    rates = {line.letter: line.rate for line in invoice.lines.all()}
    for letter in LETTERS:
        if letter in rates:
            taxable = getattr(invoice, f"taxable_{letter.lower()}")
            tax = getattr(invoice, f"tax_{letter.lower()}")
            name = f"{letter} {rates[letter].normalize():f}%"
            lines.append(f"{name:<6}{_signed(invoice, taxable):>14} {_signed(invoice, tax):>14}")
    return lines


def _unit(invoice: Invoice, receipt: Receipt, print_kind: str) -> list[str]:
    signed = receipt.signed_at.astimezone(NAIROBI)
    label = print_kind + ("C" if invoice.kind == Kind.CREDIT_NOTE else "S")
    return [
        "SCU INFORMATION",
        _pair(f"Date: {signed:%d/%m/%Y}", f"Time: {signed:%H:%M:%S}"),
        f"SCU ID: {receipt.scu_id}",
        f"CU INVOICE NUMBER: {receipt}",
        f"Receipt: {receipt.receipt_number}/{receipt.total_receipts} {label}",
        "Internal Data:",
        f"  {dashed(receipt.internal_data)}",
        "Receipt Signature:",
        f"  {dashed(receipt.signature)}",
        RULE,
        "TIS INFORMATION",
        f"Receipt: {invoice.reference}",
        f"Date: {invoice.sold_at.astimezone(NAIROBI):%d/%m/%Y %H:%M:%S}",
        receipt.qr_url,
    ]


def dashed(text: str) -> str:
    """A dash after every four characters (rule R2)."""
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def _amount(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _signed(invoice: Invoice, amount: Decimal) -> str:
    """Credit notes print negative amounts, though their message carries positive ones (R3)."""
    return _amount(-amount if invoice.kind == Kind.CREDIT_NOTE else amount)


def _pair(left: str, right: str) -> str:
    """Left and right on one line; on two where they would touch."""
    gap = WIDTH - len(left) - len(right)
    return left + " " * gap + right if gap > 0 else f"{left}\n{right:>{WIDTH}}"
