"""The life of an import line, through the API, over real HTTP to the simulator."""

from decimal import Decimal

import pytest

from items.models import ImportLine, StockMovement
from outbox.models import Transmission

pytestmark = pytest.mark.django_db(transaction=True)


def stock_at_kra(shop, sku="KETTLE"):
    (row,) = shop.get(f"/api/stock/?sku={sku}").json()["results"]
    return Decimal(row["levels"][0]["kra_level"])


@pytest.fixture
def kettles(shop):
    """The seeded line of a hundred kettles, fetched."""
    answer = shop.post("/api/imports/sync/", {})
    assert answer.json()["branches"][0]["new"] == 3, answer.content
    return ImportLine.objects.get(task_code="20260001")


def test_it_goes_from_customs_into_stock(shop, kettles):
    again = shop.post("/api/imports/sync/", {"everything": True}).json()["branches"]
    assert (again[0]["new"], ImportLine.objects.count()) == (0, 3)
    path = f"/api/imports/{kettles.pk}/"
    suggested = shop.get(path).json()["suggestions"]
    assert (suggested[0]["item"], suggested[0]["why"]) == ("KETTLE", "similar_name")
    shop.post(f"{path}match/", {"item": "KETTLE"})

    answer = shop.post(f"{path}approve/", {}, Prefer="wait=10")

    assert (answer.status_code, answer.json()["state"]) == (200, "approved"), answer.content
    shop.deliver()
    assert stock_at_kra(shop) == 10_100
    assert 10_100 in shop.simulator.ledger(shop.pin)["stock"].values()
    # KRA's own list says the same.
    shop.post("/api/imports/sync/", {"everything": True})
    kettles.refresh_from_db()
    assert (kettles.state, kettles.status_code) == ("approved", "3")
    assert not Transmission.objects.open().exists()


def test_an_answer_lost_after_storing_doubles_nothing(shop, kettles):
    shop.simulator.fault("lost_after", endpoint="import_update")
    shop.post(f"/api/imports/{kettles.pk}/approve/", {"item": "KETTLE"})

    shop.deliver()

    kettles.refresh_from_db()
    assert kettles.state == "approved"
    assert StockMovement.objects.filter(type="01").count() == 1
    assert stock_at_kra(shop) == 10_100


def test_a_rejection_reaches_kra(shop, kettles):
    body = {"item": "KETTLE", "reason": "Not ours"}
    shop.post(f"/api/imports/{kettles.pk}/reject/", body)

    shop.deliver()

    shop.post("/api/imports/sync/", {"everything": True})
    kettles.refresh_from_db()
    assert (kettles.state, kettles.status_code) == ("rejected", "4")
    assert stock_at_kra(shop) == 10_000


def test_kra_away_in_the_middle_of_a_fetch(shop):
    shop.simulator.outage(True)
    assert shop.post("/api/imports/sync/", {}).status_code == 502

    shop.simulator.outage(False)

    assert shop.post("/api/imports/sync/", {}).json()["branches"][0]["new"] == 3
