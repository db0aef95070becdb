"""What an act asks for besides a reason, as text that a person can edit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from core.api import parse
from core.errors import Invalid, Problem
from sales.models import Invoice
from sales.schemas import SaleContent
from sales.words import PAYMENT_NAMES

LARGEST_NUMBER = 10**15


@dataclass(frozen=True)
class Field:
    """`read` turns the text into values that JSON can hold, or raises Invalid."""

    name: str
    label: str
    help: str
    read: Callable[[str], dict[str, Any]]
    is_long: bool = False


def _number(text: str) -> dict[str, Any]:
    cleaned = text.strip()
    is_number = cleaned.isascii() and cleaned.isdigit() and len(cleaned) <= 16
    if not is_number or int(cleaned) > LARGEST_NUMBER:
        problem = Problem("last_number", "It is no whole number.", "Give the number KRA names.")
        raise Invalid("The number is not valid.", problems=[problem])
    return {"last_number": int(cleaned)}


def _correction(text: str) -> dict[str, Any]:
    body = text.encode("utf-8", "surrogatepass")
    parse(body, SaleContent)
    return {"content": msgspec.json.decode(body)}


def content_read(values: dict[str, Any]) -> SaleContent:
    return parse(msgspec.json.encode(values["content"]), SaleContent)


def content_of(invoice: Invoice) -> str:
    """The sale as the till could send it again: what is wrong is changed in it."""
    lines = [
        {
            "item": line.item.sku,
            "quantity": str(line.quantity),
            "unit_price": str(line.unit_price),
            "tax": line.letter,
            **({"discount_amount": str(line.discount)} if line.discount else {}),
        }
        for line in invoice.lines.select_related("item")
    ]
    buyer = {
        "pin": invoice.customer_pin,
        "name": invoice.customer_name,
        "phone": invoice.customer_phone,
    }
    content: dict[str, Any] = {
        "sold_at": invoice.sold_at.isoformat(),
        "prices_include_tax": True,
        "customer": buyer,
        "payment_method": PAYMENT_NAMES.get(invoice.payment_method, invoice.payment_method),
        "remark": invoice.remark,
        "lines": lines,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


CORRECTION = Field(
    name="content",
    label="The sale as it should be",
    help="As POST /api/sales/ takes it, without the reference. Prices include tax and are in "
    "shillings. Change what KRA refused, leave the rest.",
    read=_correction,
    is_long=True,
)
NUMBER = Field(
    name="last_number",
    label="The last number KRA accepted",
    help="A number, not a guess: it takes effect only when KRA confirms it.",
    read=_number,
)
