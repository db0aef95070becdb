"""Reports of a month with 100,000 sales: time to the first byte and the memory it takes.

    DATABASE_URL=… python -m bench.reports [sales]

It makes a database of its own on that server, fills it by SQL, asks through Django's handler in
this process, and drops the database in the end.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.world import leave_database, own_database

MONTH = "from=2026-10-01&to=2026-10-31"
QUESTIONS = [
    ("VAT", f"vat/?{MONTH}"),
    ("VAT, XLSX", f"vat/?{MONTH}&format=xlsx"),
    ("VAT, PDF", f"vat/?{MONTH}&format=pdf"),
    ("payments", f"payments/?{MONTH}"),
    ("PLU, 2,000 items", f"plu/?{MONTH}"),
    ("PLU, XLSX", f"plu/?{MONTH}&format=xlsx"),
    ("X of a busy day", "x/?device=D-1"),
    ("each document, CSV", f"vat/?{MONTH}&documents=true&format=csv"),
    ("each document, XLSX", f"vat/?{MONTH}&documents=true&format=xlsx"),
]
# Ten devices; three lines a sale; one in fifty waits for KRA; the last day is in no Z.
FILL = [
    """INSERT INTO outbox_transmission (id, lane_id, kind, reference, status, body, sha256, number,
        attempts, not_before, error_code, error_message, created_at, finished_at)
    SELECT n, lanes.id, 'sale', 'S-' || n, CASE WHEN n % 50 = 0 THEN 'queued' ELSE 'accepted' END,
        convert_to(repeat('x', 1200), 'UTF8'), '', CASE WHEN n % 50 > 0 THEN n END, 1, at, '', '',
        at, CASE WHEN n % 50 > 0 THEN at END
    FROM (SELECT n, timestamptz '2026-10-01 08:00+03' + n * interval '31 days' / %(sales)s * 0.98
          AS at, n % 10 AS k FROM generate_series(1, %(sales)s) n) each
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS k FROM outbox_lane
          WHERE stream = 'fiscal') lanes USING (k)""",
    """INSERT INTO sales_invoice (id, company_id, branch_id, device_id, kind, reference, version,
        is_current, state, state_reason, is_training, transmission_id, credit_reason,
        returns_goods, sold_at, customer_pin, customer_name, customer_phone, customer_email,
        payment_method, remark, currency, prices_include_tax, total, taxable, tax, discount,
        taxable_a, taxable_b, taxable_c, taxable_d, taxable_e, tax_a, tax_b, tax_c, tax_d, tax_e,
        content_hash, public_token, created_at)
    SELECT row.id, device.company_id, device.branch_id, device.id, 'sale', row.reference, 1, true,
        'active', '', false, row.id, '', false, row.created_at, '', 'Walk-in', '', '',
        '0' || 1 + row.id % 7, '', 'KES', true, 358, 308.62, 49.38, 0, 0, 308.62, 0, 0, 0, 0,
        49.38, 0, 0, 0, md5(row.id::text), md5('t' || row.id), row.created_at
    FROM outbox_transmission row JOIN outbox_lane lane ON lane.id = row.lane_id
    JOIN devices_device device ON device.id = lane.device_id""",
    """INSERT INTO sales_receipt (invoice_id, device_id, number, receipt_number,
        total_receipts, internal_data, signature, signed_at, scu_id, created_at)
    SELECT invoice.id, invoice.device_id, row.number, row.number, row.number,
        'A2B3C4D5E6F7G2H3I4J5K6L7M2',
        'V249J39CFJ48HE2W', row.finished_at, 'KRACU0100000001', row.finished_at
    FROM sales_invoice invoice JOIN outbox_transmission row ON row.id = invoice.transmission_id
    WHERE row.status = 'accepted'""",
    """INSERT INTO sales_invoiceline (invoice_id, sequence, item_id, name, quantity, unit_price,
        supply, discount_percent, discount, letter, rate, taxable, tax, total)
    SELECT invoice.id, line, items.id, items.name, 1, 119.33, 119.33, 0, 0, 'B', 16, 102.87,
        16.46, 119.33
    FROM sales_invoice invoice CROSS JOIN generate_series(1, 3) line
    JOIN (SELECT id, name, row_number() OVER (ORDER BY id) - 1 AS k FROM items_item) items
        ON items.k = (invoice.id * 7 + line * 13) % 2000""",
    "ANALYZE",
]


def main() -> None:
    sales = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with own_database(os.environ["DATABASE_URL"], "reports") as url:
        os.environ["DATABASE_URL"] = url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
        os.environ |= {"LOG_LEVEL": "ERROR", "ALLOWED_HOSTS": "testserver"}
        argv = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity=0"]
        subprocess.run(argv, check=True)
        import django

        django.setup()
        try:
            secret = _fill(sales)
            _measure(secret, sales)
        finally:
            leave_database()


def _fill(sales: int) -> str:
    from django.db import connection
    from django.utils import timezone

    from companies.models import COMPANY_SCOPES, ApiToken
    from items.models import Item
    from outbox.models import Lane
    from sales.tests import shop

    company = shop.open_company()
    for number in range(10):
        Lane.objects.create(device=shop.add_device(company, f"D-{number}"), stream="fiscal")
    now = timezone.now()
    facts = {"classification": "1000000000", "product_type": "2", "tax_letter": "B", "price": 119}
    dates = {"created_at": now, "updated_at": now, "company": company}
    Item.objects.bulk_create(
        Item(sku=f"SKU-{n:05}", name=f"Article {n}", **facts, **dates) for n in range(2000)
    )
    with connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement.replace("%(sales)s", str(sales)))
    _close_days()
    return ApiToken.issue(name="bench", scopes=COMPANY_SCOPES, company=company)[1]


def _close_days() -> None:
    """All days but the last; the first Z of a device takes whatever was before."""
    from datetime import date

    from django.db import connection

    from devices.models import Device
    from sales.reports.closing import close_day

    for device in Device.objects.select_related("company", "branch"):
        started = time.perf_counter()
        z = close_day(device, day=date(2026, 10, 29), by="bench")
        print(f"Z of {z.receipts.count()} documents: {time.perf_counter() - started:.2f} s")
    # As autovacuum would by then.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _measure(secret: str, sales: int) -> None:
    from django.test import Client

    print(f"{sales} sales, 3 lines each, in one month\n")
    print(f"{'':22}{'first byte':>11}{'whole':>9}{'size':>11}{'memory +':>10}")
    client = Client(headers={"Authorization": f"Token {secret}"})
    client.get("/api/reports/x/?device=D-2")
    client.get(f"/api/reports/vat/?format=pdf&{MONTH}")
    for name, address in QUESTIONS:
        before = _memory_mb()
        started = time.perf_counter()
        response = client.get(f"/api/reports/{address}")
        assert response.status_code == 200, response.content
        first, size = 0.0, 0
        for piece in _pieces(response):
            first = first or time.perf_counter() - started
            size += len(piece)
        whole = time.perf_counter() - started
        memory = _memory_mb() - before
        print(f"{name:22}{first:9.2f} s{whole:7.2f} s{size / 1024:8.0f} kB{memory:7.0f} MB")


def _pieces(response: Any) -> Iterator[bytes]:
    if response.streaming:
        yield from response
    else:
        yield response.content


def _memory_mb() -> float:
    """The most that this process ever held; a question adds what it needs beyond that."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
