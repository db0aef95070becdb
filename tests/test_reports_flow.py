"""A day with KRA down in the middle, over real HTTP to the simulator: X, Z, and the Z after."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pypdf
import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone

from monitoring.journal import collecting, follower
from monitoring.journal.comparing import verify_device
from monitoring.models import JournalEntry
from outbox import breaker
from outbox.models import Breaker
from sales.models import Receipt, ZReport
from sales.reports import closing

from .conftest import skip_backoff

pytestmark = pytest.mark.django_db(transaction=True)


def counted():
    """What some Z has taken."""
    return Receipt.objects.filter(z__isnull=False)


def test_what_kra_signs_late_is_in_the_next_z_and_nothing_is_lost(shop):
    # KRA takes nothing from the future, so the first day is yesterday.
    with time_machine.travel(timezone.now() - timedelta(days=1)):
        shop.sell("T-1")
        shop.deliver()
        shop.simulator.outage(True)
        shop.sell("T-2")
        shop.deliver(until_empty=False)
        x = shop.get("/api/reports/x/").json()
        first = shop.post("/api/reports/z/", {}).json()
        waiting = shop.get("/api/reports/vat/").json()
        shop.simulator.outage(False)
        skip_backoff()
        breaker.forget()
        Breaker.objects.all().delete()
        shop.deliver()
    shop.sell("T-3")
    shop.deliver()
    second = shop.post("/api/reports/z/", {}).json()

    assert (x["sales"]["count"], x["incomplete"][0]["sales"]["count"]) == (1, 1)
    assert (first["number"], first["sales"]["total"]) == (1, "4320.00")
    assert waiting["unsigned_tax"] == "595.86"
    assert (second["number"], second["sales"]["count"]) == (2, 2)
    assert second["late_sales"] == {"count": 1, "total": "4320.00"}
    assert second["incomplete"] == []
    held = sum(Decimal(str(entry["total"])) for entry in shop.ledger())
    assert Decimal(second["running"]["sales"]["total"]) == held == Decimal("12960.00")
    assert counted().count() == 3
    assert [z.number for z in ZReport.objects.order_by("pk")] == [1, 2]
    vat = shop.client.get(
        "/api/reports/vat/?documents=true&format=csv", headers=shop.headers()
    ).getvalue()
    assert vat.count(b",signed,") == 1


def test_a_z_carries_the_journals_checkpoint_and_the_journal_carries_the_z(shop):
    """Each vouches for the other: neither can be changed alone."""
    shop.sell("T-1")
    shop.deliver()
    follow()

    z = shop.post("/api/reports/z/", {}).json()
    follow()

    checkpoint = z["journal_checkpoint"]
    entry = JournalEntry.objects.get(device=shop.device, sequence=checkpoint["sequence"])
    assert checkpoint["hash"] == entry.hash
    row = ZReport.objects.get()
    printed = shop.client.get(f"/api/reports/z/{row.pk}/?format=pdf", headers=shop.headers())
    text = "".join(
        page.extract_text() for page in pypdf.PdfReader(io.BytesIO(printed.content)).pages
    )
    assert checkpoint["hash"] in "".join(text.split())
    assert f"Journal sequence {checkpoint['sequence']}" in " ".join(text.split())
    assert JournalEntry.objects.filter(kind="z_report", source=row.pk).count() == 1
    assert verify_device(shop.device)[1] == []

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sales_zreport DISABLE TRIGGER z_report_is_final")
        cursor.execute(
            "UPDATE sales_zreport SET content = replace(content, '4320.00', '4319.00'),"
            " sha256 = encode(sha256(convert_to(replace(content, '4320.00', '4319.00'),"
            " 'UTF8')), 'hex')"
        )
        cursor.execute("ALTER TABLE sales_zreport ENABLE TRIGGER z_report_is_final")

    findings = verify_device(shop.device)[1]
    assert len(findings) == 1
    assert "z_report" in str(findings[0]) or "Z" in str(findings[0])


def test_the_journal_sees_a_z_whose_number_is_drawn_before_it_is_stored(shop, monkeypatch):
    """It follows the table by ids: one that is still being written must not be passed over."""
    (table,) = (each for each in collecting.TABLES if each.kind == "z_report")
    seen = []

    def writers():
        try:
            return collecting._writers(table)
        finally:
            connections.close_all()

    def look(*args):
        # The follower's connection is another one.
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(writers).result())
        return take(*args)

    take = closing._take
    monkeypatch.setattr(closing, "_take", look)
    shop.post("/api/reports/z/", {})

    assert len(seen) == 1
    assert seen[0]


def follow():
    follower.follow(until=time.monotonic() + 30)
