"""What people look at, and what they do about it. Pages are read-only; what is done goes through
services. Who sees and does what: roles.py. A page of its own inherits `read_only.ReadOnlyAdmin`.
"""

from django.contrib import admin

from . import (
    alerts,
    branding,
    companies,
    devices,
    emails,
    items,
    journal,
    lists,
    outbox,
    oversight,
    people,
    prints,
    purchases,
    reconciliation,
    registers,
    reports,
    retention,
    sales,
    stock,
    webhooks,
)  # fmt: skip

__all__ = [
    "alerts", "branding", "companies", "devices", "emails", "items", "journal", "lists", "outbox",
    "oversight", "people", "prints", "purchases", "reconciliation", "registers", "reports",
    "retention", "sales", "stock", "webhooks",
]  # fmt: skip

# "View site" in the head of each page leads there.
admin.site.site_url = "/dashboard/"
