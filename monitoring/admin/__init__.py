"""What an operator's staff may look at. Nothing is changed here but tax rates, which
wait for a yes, and how receipts look: all else is the API's and the services' part, and a
permission to view shows every company.
"""

from . import (
    branding,
    companies,
    devices,
    emails,
    journal,
    lists,
    outbox,
    prints,
    purchases,
    reconciliation,
    registers,
    reports,
    sales,
    stock,
    webhooks,
)  # fmt: skip

__all__ = [
    "branding", "companies", "devices", "emails", "journal", "lists", "outbox", "prints",
    "purchases", "reconciliation", "registers", "reports", "sales", "stock", "webhooks",
]  # fmt: skip
