"""What a VAT return needs to know about purchases: those that we confirmed to KRA."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db.models import Count, Sum

from .models import Purchase, PurchaseLine
from .models.invoices import State


def confirmed_sums(branch_ids: Sequence[int], first: date, last: date) -> list[dict[str, Any]]:
    """Per tax letter and kind, by the date of the supplier's invoice; only what KRA accepted."""
    confirmed = Purchase.objects.filter(
        branch_id__in=branch_ids, invoiced_on__range=(first, last), state=State.CONFIRMED
    )
    lines = PurchaseLine.objects.filter(purchase__in=confirmed, confirmed_quantity__isnull=False)
    groups = lines.order_by().values("purchase__is_credit_note", "letter")
    rows = groups.annotate(
        invoices=Count("purchase", distinct=True),
        taxable=Sum("confirmed_taxable"),
        vat=Sum("confirmed_tax"),
        gross=Sum("confirmed_total"),
    )
    return [
        {
            "is_credit_note": row["purchase__is_credit_note"],
            "letter": row["letter"],
            "count": row["invoices"],
            "taxable": row["taxable"],
            "tax": row["vat"],
            "total": row["gross"],
        }
        for row in rows.order_by("purchase__is_credit_note", "letter")
    ]
