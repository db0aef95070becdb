"""What an operator's staff may look at. Nothing is changed here but tax rates, which
wait for a yes: all else is the API's and the services' part, and a permission to view shows every
company.
"""

from django.contrib import admin

from . import (
    alerts,
    companies,
    devices,
    lists,
    outbox,
    purchases,
    reconciliation,
    registers,
    sales,
    stock,
)  # fmt: skip

__all__ = [
    "alerts", "companies", "devices", "lists", "outbox", "purchases", "reconciliation", "registers",
    "sales", "stock",
]  # fmt: skip

# "View site" in the head of each page leads there.
admin.site.site_url = "/dashboard/"
