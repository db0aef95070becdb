"""Copies and proforma receipts that were printed: how many, and of what amount."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, Sum

from core.money import ZERO
from devices.models import Device
from sales.models.prints import ORIGINALS, Label, ReceiptPrint

Printed = tuple[int, Decimal]
COPIES = [Label.SALE_COPY, Label.CREDIT_NOTE_COPY]
UNOFFICIAL = ~Q(label__in=[label.value for label in ORIGINALS])


def prints_until(devices: Sequence[Device], until: datetime) -> tuple[Printed, Printed]:
    """All copies and all proforma receipts of the devices before a moment."""
    made = ReceiptPrint.objects.filter(UNOFFICIAL, device__in=devices, printed_at__lt=until)
    copies, proforma = Q(label__in=COPIES), Q(label=Label.PROFORMA)
    row = made.aggregate(
        copies=Count("pk", filter=copies),
        of_copies=Sum("total", filter=copies),
        proforma=Count("pk", filter=proforma),
        of_proforma=Sum("total", filter=proforma),
    )
    return (
        (row["copies"], row["of_copies"] or ZERO),
        (row["proforma"], row["of_proforma"] or ZERO),
    )
