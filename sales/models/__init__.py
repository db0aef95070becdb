"""What the app stores, by concept."""

from .invoices import (
    LETTERS,
    PUBLIC_STATUS,
    Invoice,
    InvoiceLine,
    Kind,
    Receipt,
    State,
    public_token,
)

__all__ = [
    "LETTERS",
    "PUBLIC_STATUS",
    "Invoice",
    "InvoiceLine",
    "Kind",
    "Receipt",
    "State",
    "public_token",
]
