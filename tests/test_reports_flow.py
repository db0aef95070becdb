"""A day with KRA down in the middle, over real HTTP to the simulator: X, Z, and the Z after."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from outbox import breaker
from outbox.models import Breaker
from sales.models import Receipt, ZReport

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
