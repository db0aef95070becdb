"""The sums under every report, read in one snapshot so that the parts of a report agree.

A document counts as signed when its receipt is here: that row comes with KRA's acceptance in one
transaction. What is not signed is never mixed with what is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Sum

from sales.models import LETTERS, Invoice, InvoiceLine, State

from .subject import Period, Subject

AMOUNTS = ["total", "taxable", "tax"]
BY_LETTER = [f"{name}_{letter.lower()}" for letter in LETTERS for name in ("taxable", "tax")]
IS_SIGNED = ExpressionWrapper(Q(receipt__isnull=False), output_field=BooleanField())


@contextmanager
def snapshot(*, writes: bool = False) -> Iterator[None]:
    """One REPEATABLE READ transaction: every query sees the same moment.

    Within a transaction of the caller it is that one, whatever its isolation.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            mode = "" if writes else ", READ ONLY"
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ{mode}")
        yield


def documents(
    company_ids: Sequence[int], start: datetime, end: datetime, device_ids: Sequence[int] | None
) -> Any:
    """What was sold then, without training, voided and superseded documents. The company is
    always named, because the index begins with it.
    """
    found = Invoice.objects.filter(
        company_id__in=company_ids,
        sold_at__gte=start,
        sold_at__lt=end,
        state=State.ACTIVE,
        is_training=False,
    )
    return found if device_ids is None else found.filter(device_id__in=device_ids)


def sold_in(subject: Subject, period: Period) -> Any:
    mine = [device.pk for device in subject.devices] if subject.is_part else None
    return documents([subject.company.pk], period.start, period.end, mine)


def sums_of(found: Any, *by: str, names: Sequence[str] = ("total",)) -> Any:
    """Counts and sums of documents in groups; each sum is called `sum_…`, apart from its column."""
    if "is_signed" in by:
        found = found.annotate(is_signed=IS_SIGNED)
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in names}
    return found.order_by().values(*by).annotate(count=Count("*"), **sums)


def lines_in(subject: Subject, period: Period) -> Any:
    """The lines of `sold_in`, by one join: the lines of a month are many."""
    found: Any = InvoiceLine.objects.filter(
        invoice__company_id=subject.company.pk,
        invoice__sold_at__gte=period.start,
        invoice__sold_at__lt=period.end,
        invoice__state=State.ACTIVE,
        invoice__is_training=False,
    )
    if subject.is_part:
        found = found.filter(invoice__device_id__in=[device.pk for device in subject.devices])
    signed = ExpressionWrapper(Q(invoice__receipt__isnull=False), output_field=BooleanField())
    return found.annotate(is_signed=signed)


def line_sums(found: Any, *by: str) -> list[dict[str, Any]]:
    """Sums over the lines of documents; `by` may reach into the invoice."""
    return sums_of_lines(InvoiceLine.objects.filter(invoice__in=found), *by)


def sums_of_lines(lines: Any, *by: str) -> list[dict[str, Any]]:
    sums: dict[str, Any] = {
        f"sum_{name}": Sum(name) for name in ("quantity", "taxable", "tax", "total")
    }
    return list(lines.order_by().values(*by).annotate(**sums))
