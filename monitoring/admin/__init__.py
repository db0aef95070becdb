"""What people look at, and what they do about it. Pages are read-only; what is done goes through
services. Who sees and does what: roles.py. A page of its own inherits `read_only.ReadOnlyAdmin`.
"""

from . import (
    companies,
    devices,
    items,
    lists,
    outbox,
    oversight,
    people,
    purchases,
    reconciliation,
    registers,
    sales,
    stock,
)  # fmt: skip

__all__ = [
    "companies", "devices", "items", "lists", "outbox", "oversight", "people", "purchases",
    "reconciliation", "registers", "sales", "stock",
]  # fmt: skip
