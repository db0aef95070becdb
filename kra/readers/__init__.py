"""From the data of an answer to our records."""

from kra.readers.books import read_listed_invoices
from kra.readers.lists import (
    read_branches,
    read_classifications,
    read_code_classes,
    read_customer,
    read_items,
    read_notices,
    read_taxpayer,
)
from kra.readers.offers import (
    read_imports,
    read_supplier_invoices,
    read_transfers,
    sift_supplier_invoices,
)
from kra.readers.proofs import read_device, read_invoice, read_signature

__all__ = [
    "read_branches",
    "read_classifications",
    "read_code_classes",
    "read_customer",
    "read_device",
    "read_imports",
    "read_invoice",
    "read_items",
    "read_listed_invoices",
    "read_notices",
    "read_signature",
    "read_supplier_invoices",
    "read_taxpayer",
    "read_transfers",
    "sift_supplier_invoices",
]
