"""What the app stores, by concept."""

from .emails import EmailState, ReceiptEmail, emails_are_on
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
from .prints import ORIGINALS, Label, ReceiptPrint
from .reconciliation import (
    Difference,
    HeldDocument,
    ReconciledDay,
    Reconciliation,
    Stage,
    Verdict,
)
from .registers import BranchRecord, BranchUser, Customer, Insurance, PinRecord
from .reports import ZCounter, ZItem, ZReport

__all__ = [
    "LETTERS",
    "ORIGINALS",
    "PUBLIC_STATUS",
    "Difference",
    "EmailState",
    "ReceiptEmail",
    "emails_are_on",
    "HeldDocument",
    "BranchRecord",
    "BranchUser",
    "Customer",
    "Insurance",
    "PinRecord",
    "Invoice",
    "InvoiceLine",
    "Kind",
    "Label",
    "Receipt",
    "ReceiptPrint",
    "ReconciledDay",
    "Reconciliation",
    "Stage",
    "State",
    "Verdict",
    "ZCounter",
    "ZItem",
    "ZReport",
    "public_token",
]
