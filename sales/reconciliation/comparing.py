"""Both books side by side, inside PostgreSQL: memory stays flat whatever the number of sales.

By hand, because the ORM has no full join. Only what disagrees becomes a row.
"""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.db.models.functions import TruncDate

from kra.times import NAIROBI
from outbox.models import Status
from sales.models import HeldDocument, Invoice, Kind, ReconciledDay, Reconciliation

from .asking import midnight

# A wider gap is one case from its first number to its last.
WIDEST_GAP_BY_NUMBER = 100

_OURS = """
    SELECT t.number, i.id AS invoice_id, i.kind, i.total, i.tax AS vat, r.signature,
        (i.sold_at AT TIME ZONE 'Africa/Nairobi')::date AS day, t.finished_at
    FROM sales_invoice i
    JOIN outbox_transmission t ON t.id = i.transmission_id AND t.status = 'accepted'
    LEFT JOIN sales_receipt r ON r.invoice_id = i.id
"""
SUSPECT = f"""
    WITH held AS (
        SELECT number, kind, total, vat, signature, day, is_cancelled
        FROM sales_helddocument WHERE run_id = %(run)s
    ), ours AS (
        {_OURS}
        WHERE i.company_id = %(company)s AND i.device_id = %(device)s
            AND i.sold_at >= %(start)s AND i.sold_at < %(end)s
        UNION
        {_OURS}
        JOIN held ON held.number = t.number AND held.day BETWEEN %(first)s AND %(last)s
        WHERE t.lane_id = %(lane)s AND t.kind = 'sale'
    )
    INSERT INTO sales_difference (
        company_id, run_id, device_id, number, day, kind, our_kind, kra_kind, detail, state, how,
        reason, resolved_by, created_at
    )
    SELECT %(company)s, %(run)s, %(device)s, COALESCE(ours.number, held.number),
        COALESCE(ours.day, held.day), '', '', '', '', 'suspected', '', '', '', now()
    FROM ours FULL JOIN held ON held.number = ours.number
    WHERE (
        ours.day BETWEEN %(first)s AND %(last)s
        AND (ours.finished_at <= %(asked_at)s OR held.number IS NOT NULL)
        OR held.day BETWEEN %(first)s AND %(last)s
    ) AND (
        ours.number IS NULL OR held.number IS NULL OR held.is_cancelled
        OR (ours.kind, ours.total, ours.vat, ours.signature, ours.day)
            IS DISTINCT FROM (held.kind, held.total, held.vat, held.signature, held.day)
    )
    ON CONFLICT (run_id, number) DO NOTHING
"""
# A gap belongs to the day of the number that ends it. Numbers in flight are no gap.
GAPS = """
    WITH span AS (
        SELECT min(number) AS low, max(number) AS high FROM (
            SELECT t.number FROM sales_invoice i
            JOIN outbox_transmission t ON t.id = i.transmission_id AND t.status = 'accepted'
            WHERE i.company_id = %(company)s AND i.device_id = %(device)s
                AND i.sold_at >= %(start)s AND i.sold_at < %(end)s
            UNION ALL
            SELECT number FROM sales_helddocument
            WHERE run_id = %(run)s AND day BETWEEN %(first)s AND %(last)s
        ) of_the_period
    ), known AS (
        SELECT number, min(day) AS day FROM (
            SELECT t.number, (i.sold_at AT TIME ZONE 'Africa/Nairobi')::date AS day
            FROM outbox_transmission t JOIN sales_invoice i ON i.transmission_id = t.id
            WHERE t.lane_id = %(lane)s AND t.kind = 'sale' AND t.number IS NOT NULL
                AND t.status NOT IN ('refused', 'cancelled')
                AND t.number <= (SELECT high FROM span)
                AND t.number >= COALESCE((
                    SELECT max(b.number) FROM outbox_transmission b
                    WHERE b.lane_id = %(lane)s AND b.kind = 'sale' AND b.number IS NOT NULL
                        AND b.status NOT IN ('refused', 'cancelled')
                        AND b.number < (SELECT low FROM span)
                ), 0)
            UNION ALL
            SELECT number, day FROM sales_helddocument WHERE run_id = %(run)s
        ) both_sides GROUP BY number
    ), steps AS (
        SELECT number, day, lag(number) OVER (ORDER BY number) AS before FROM known
    ), gaps AS (
        SELECT before + 1 AS first, number - 1 AS last, day FROM steps
        WHERE number - before > 1 AND day BETWEEN %(first)s AND %(last)s
    ), cases AS (
        SELECT n AS number, NULL::bigint AS last_number, day
        FROM gaps CROSS JOIN LATERAL generate_series(first, last) n
        WHERE last - first < %(widest)s
        UNION ALL
        SELECT first, last, day FROM gaps WHERE last - first >= %(widest)s
    )
    INSERT INTO sales_difference (
        company_id, run_id, device_id, number, last_number, day, kind, our_kind, kra_kind, detail,
        state, how, reason, resolved_by, created_at
    )
    SELECT %(company)s, %(run)s, %(device)s, number, last_number, day, '', '', '', '',
        'suspected', '', '', '', now()
    FROM cases
    ON CONFLICT (run_id, number) DO NOTHING
"""


def suspect(run: Reconciliation, lane_id: int | None) -> None:
    """Insert a suspicion for each number about which the two books disagree."""
    values = {
        "run": run.pk,
        "company": run.company_id,
        "device": run.device_id,
        "lane": lane_id,
        "first": run.first_day,
        "last": run.last_day,
        "start": midnight(run.first_day),
        "end": midnight(run.last_day + timedelta(days=1)),
        "asked_at": run.asked_at,
        "widest": WIDEST_GAP_BY_NUMBER,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUSPECT, values)
        cursor.execute(GAPS, values)


def figures_by_day(run: Reconciliation) -> list[ReconciledDay]:
    """Both sides' figures of every day of the run's period, not yet saved. Two queries."""
    span = (run.last_day - run.first_day).days + 1
    days = {
        day: ReconciledDay(company_id=run.company_id, run=run, device_id=run.device_id, day=day)
        for day in (run.first_day + timedelta(days=n) for n in range(span))
    }
    for row in _our_sums(run):
        add(days[row["on"]], "our", row["kind"], (row["count"], row["total_"], row["vat_"]))
    for row in _kra_sums(run):
        add(days[row["day"]], "kra", row["kind"], (row["count"], row["total_"], row["vat_"]))
    return list(days.values())


def add(day: ReconciledDay, side: str, kind: str, figures: tuple[int, Any, Any]) -> None:
    """Credit notes reduce totals and VAT; their amounts are positive (rule C1)."""
    count, total, vat = figures
    is_note = kind == Kind.CREDIT_NOTE
    sign = -1 if is_note else 1
    name = f"{side}_credit_notes" if is_note else f"{side}_sales"
    for field, value in (
        (name, count),
        (f"{side}_total", sign * total),
        (f"{side}_vat", sign * vat),
    ):
        setattr(day, field, getattr(day, field) + value)


def _our_sums(run: Reconciliation) -> Any:
    held = HeldDocument.objects.filter(run=run, number=OuterRef("transmission__number"))
    signed = Invoice.objects.filter(
        Q(transmission__finished_at__lte=run.asked_at) | Exists(held),
        company_id=run.company_id,
        device_id=run.device_id,
        sold_at__gte=midnight(run.first_day),
        sold_at__lt=midnight(run.last_day + timedelta(days=1)),
        transmission__status=Status.ACCEPTED,
    )
    by_day: Any = signed.annotate(on=TruncDate("sold_at", tzinfo=NAIROBI)).values("on", "kind")
    return by_day.annotate(count=Count("*"), total_=Sum("total"), vat_=Sum("tax")).order_by()


def _kra_sums(run: Reconciliation) -> Any:
    held = HeldDocument.objects.filter(run=run, day__range=(run.first_day, run.last_day))
    by_day: Any = held.values("day", "kind")
    return by_day.annotate(count=Count("*"), total_=Sum("total"), vat_=Sum("vat")).order_by()
