"""A catalogue from a file to KRA and back, through the API, over real HTTP to the simulator."""

import pytest

from items.models import Item
from outbox.models import Transmission

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = """sku,name,price,category,opening_stock
CAKE,Wedding cake,5800,Bakery,
FLOUR,Maize flour,150,Bakery,40
BAD,,1,Bakery,
"""


def test_a_table_becomes_items_at_kra(shop):
    default = {"category": "Bakery", "classification": "1000000000", "tax": "B"}
    body = {"defaults": [default]}
    put = shop.client.put(
        "/api/item/defaults/", body, content_type="application/json", headers=shop.headers()
    )
    assert put.status_code == 200, put.content

    answer = shop.client.post(
        "/api/item/import/", TABLE, content_type="text/csv", headers=shop.headers()
    )

    assert answer.json()["summary"] == {"created": 2, "updated": 0, "unchanged": 0, "refused": 1}
    shop.deliver()
    assert Item.objects.filter(registered_at__isnull=False).count() == 5
    path = "/api/items/CAKE/composition/"
    composed = shop.post(path, {"component": "FLOUR", "quantity": "2"}, Prefer="wait=10")
    assert (composed.status_code, composed.json()["state"]) == (200, "accepted"), composed.content
    # KRA has no stock of cakes, so nothing can be made of them.
    refused = shop.post(
        "/api/items/KETTLE/composition/", {"component": "CAKE", "quantity": 1}, Prefer="wait=10"
    )
    assert refused.json()["state"] == "refused"
    assert refused.json()["trouble"]["help"]
    assert not Transmission.objects.open().exists()


def test_a_deactivation_reaches_kra_and_both_lists_agree(shop):
    patched = shop.client.patch(
        "/api/items/FIT/",
        {"is_active": False},
        content_type="application/json",
        headers=shop.headers(),
    )
    assert patched.status_code == 200, patched.content
    report = shop.post("/api/items/reconcile/", {}).json()
    (differing,) = report["differing"]
    assert (differing["sku"], differing["state"]) == ("FIT", "queued")

    shop.simulator.fault("lost_after", endpoint="item_save")
    shop.deliver()

    report = shop.post("/api/items/reconcile/", {}).json()
    assert report == {"equal": 3, "differing": [], "only_ours": [], "only_kras": []}


def test_it_adopts_what_only_kra_has(shop):
    """Ours is lost, as after an old backup: KRA still has it."""
    lost = Item.objects.get(sku="FIT")
    code = lost.code
    lost.delete()
    report = shop.post("/api/items/reconcile/", {"adopt": [code]}).json()
    assert [(x["code"], x["sku"]) for x in report["only_kras"]] == [(code, code)]

    line = {"item": code, "quantity": "1"}
    sold = shop.post("/api/sales/", {"reference": "T-1", "lines": [line]}, Prefer="wait=10")

    assert (sold.status_code, sold.json()["status"]) == (201, "signed"), sold.content
