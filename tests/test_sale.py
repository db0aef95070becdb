"""The life of a sale, through the API, over real HTTP to the simulator."""

import pytest

from outbox.models import Transmission

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_signs_a_sale_while_the_till_waits(shop):
    response = shop.post("/api/sales/", shop.sale("T-1"), Prefer="wait=10")

    assert response.status_code == 201, response.content
    body = response.json()
    assert body["status"] == "signed"
    assert body["total"] == "4320.00"
    assert body["receipt"]["invoice_number"] == 1
    assert len(body["receipt"]["signature"]) == 16
    assert body["receipt"]["qr_url"].endswith(f"A123456789Z00{body['receipt']['signature']}")
    (held,) = shop.ledger()
    assert (held["number"], held["reference"]) == (1, "T-1")
    assert held["signature"] == body["receipt"]["signature"]


def test_it_accepts_at_once_and_signs_later(shop):
    first = shop.sell("T-1")
    second = shop.sell("T-2")

    shop.deliver()

    assert [shop.status(first), shop.status(second)] == ["signed", "signed"]
    assert [(i["number"], i["reference"]) for i in shop.ledger()] == [(1, "T-1"), (2, "T-2")]
    assert shop.lane.last_number == 2


def test_it_moves_the_stock_after_the_sale(shop):
    shop.sell("T-1")

    shop.deliver()

    stock = shop.simulator.ledger(shop.pin)["stock"]
    assert sorted(float(quantity) for quantity in stock.values()) == [9999.0, 10000.0]
    assert not Transmission.objects.open().exists()


def test_it_answers_a_replay_with_the_first_sale(shop):
    first = shop.post("/api/sales/", shop.sale("T-1"))

    again = shop.post("/api/sales/", shop.sale("T-1"))

    assert again.status_code == 200
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]


def test_it_refuses_a_reference_reused_with_other_content(shop):
    shop.sell("T-1")

    response = shop.post("/api/sales/", shop.sale("T-1", remark="another"))

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "reference_reused"
    assert Transmission.objects.filter(kind="sale").count() == 1
