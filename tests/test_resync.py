"""A counter that went wrong is set right only by what KRA itself confirms."""

from datetime import timedelta

import pytest
from django.utils import timezone

from items.models import StockMovement
from outbox.models import Lane, Transmission
from sales.models import Receipt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def behind(shop):
    """Our counter says 0 while KRA holds two sales: a restored backup."""
    for reference in ("T-1", "T-2"):
        shop.sell(reference)
    shop.deliver()
    Lane.objects.filter(pk=shop.lane.pk).update(last_number=0)
    return shop


def resync(shop, number):
    body = {"last_number": number, "reason": "restored from a backup"}
    return shop.post(f"/api/device/{shop.device.serial}/resync-counter/", body)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_it_refuses_a_number_that_kra_does_not_confirm(behind, number):
    response = resync(behind, number)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "counter_not_proven"
    assert behind.lane.last_number == 0


def test_a_sale_under_a_used_number_waits_and_goes_out_under_the_next(behind):
    # The restored database does not know of the two sales, one of which was just like this one.
    earlier = timezone.now() - timedelta(minutes=5)
    Transmission.objects.filter(kind="sale").update(number=None, status="refused")
    sale = behind.sell("T-3", sold_at=earlier.isoformat())
    behind.deliver()
    assert behind.status(sale) == "conflict"

    assert resync(behind, 2).status_code == 200
    behind.deliver()

    assert behind.status(sale) == "signed"
    assert [h["reference"] for h in behind.ledger()] == ["T-1", "T-2", "T-3"]


def test_a_conflict_can_be_looked_up_again(shop):
    shop.simulator.fault("lost_after")
    shop.simulator.fault("wrong_content", endpoint="invoice_details")
    sale = shop.sell("T-1")
    shop.deliver()
    assert shop.status(sale) == "conflict"

    response = shop.post(f"/api/invoices/{sale.pk}/retry/", {}, Prefer="wait=5")

    assert response.json()["status"] == "signed", response.content
    assert len(shop.ledger()) == 1


def test_a_restored_backup_does_not_tax_a_sale_twice(shop):
    """T-1 was signed after the backup was made: the restored database still owes it."""
    sales = [shop.sell(reference) for reference in ("T-1", "T-2")]
    shop.deliver()
    forget_signatures(shop)
    shop.simulator.fault("result_code", code="990", count=None)  # nothing is sent meanwhile
    third = shop.sell("T-3")
    shop.simulator.heal()

    assert resync(shop, 2).status_code == 200
    shop.deliver()

    assert [shop.status(s) for s in (*sales, third)] == ["signed"] * 3
    assert [h["reference"] for h in shop.ledger()] == ["T-1", "T-2", "T-3"]


def forget_signatures(shop):
    Receipt.objects.all().delete()
    StockMovement.objects.filter(reference__startswith="T-").delete()
    Transmission.objects.filter(kind="sale").update(
        status="queued", number=None, body=None, sha256="", attempts=0, finished_at=None
    )
    Lane.objects.filter(pk=shop.lane.pk).update(last_number=0)
