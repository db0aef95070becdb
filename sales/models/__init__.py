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
from .registers import BranchRecord, BranchUser, Customer, Insurance, PinRecord

__all__ = [
    "LETTERS",
    "PUBLIC_STATUS",
    "BranchRecord",
    "BranchUser",
    "Customer",
    "Insurance",
    "PinRecord",
    "Invoice",
    "InvoiceLine",
    "Kind",
    "Receipt",
    "State",
    "public_token",
]
