"""Invoices as a list shows them: one row of one query each, and no model built for it.

A model for the invoice and each of its relations costs three times what is read from them.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from .models import Invoice, Receipt

OWN = (
    "id", "reference", "kind", "state", "version", "sold_at", "customer_pin", "customer_name",
    "customer_email", "payment_method", "currency", "exchange_rate", "prices_include_tax", "total",
    "taxable", "tax", "discount", "public_token", "created_at",
)  # fmt: skip
# Of each relation; where the first is NULL there is none.
PARTS = {
    "device": ("serial",),
    "branch": ("code",),
    "company": ("pin", "environment"),
    "original": ("reference",),
    "transmission": (
        "status", "attempts", "not_before", "deadline_at", "finished_at", "error_code",
        "error_message",
    ),
    "receipt": (
        "number", "receipt_number", "total_receipts", "internal_data", "signature", "signed_at",
        "scu_id",
    ),
}  # fmt: skip
LOOKUPS = (*OWN, *(f"{part}__{name}" for part, names in PARTS.items() for name in names))
_STARTS = accumulate((len(names) for names in PARTS.values()), initial=len(OWN))
_CUTS = [(part, names, start) for (part, names), start in zip(PARTS.items(), _STARTS, strict=False)]


class Part:
    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self.__dict__.update(zip(names, values, strict=False))


class ReceiptHead(Part):
    qr_url = Receipt.qr_url
    invoice: "InvoiceHead"


class InvoiceHead(Part):
    """As much of an Invoice as its summary needs, from a row of LOOKUPS; its words are the
    model's own.
    """

    status = Invoice.status
    public_url = Invoice.public_url
    id: int
    receipt: ReceiptHead | None

    def __init__(self, row: Sequence[Any]) -> None:
        super().__init__(OWN, row)
        self.pk = self.id
        for part, names, start in _CUTS:
            kind = ReceiptHead if part == "receipt" else Part
            here = row[start] is not None
            setattr(self, part, kind(names, row[start:]) if here else None)
        if self.receipt is not None:
            self.receipt.invoice = self
