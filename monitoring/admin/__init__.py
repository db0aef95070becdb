"""What an operator's staff may look at. Nothing is changed here but tax rates, which
wait for a yes, and how receipts look: all else is the API's and the services' part, and a
permission to view shows every company.
"""

from django.contrib import admin

from . import (
    alerts,
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
    retention,
    sales,
    stock,
    webhooks,
)  # fmt: skip

__all__ = [
    "alerts", "branding", "companies", "devices", "emails", "journal", "lists", "outbox",
    "prints", "purchases", "reconciliation", "registers", "reports", "retention",
    "sales", "stock", "webhooks",
]  # fmt: skip

# "View site" in the head of each page leads there.
admin.site.site_url = "/dashboard/"
