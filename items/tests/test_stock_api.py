"""Stock over HTTP."""

import pytest

from items.models import StockLevel, StockMovement
from outbox.models import Transmission

from .fake_kra import gateway_refused

pytestmark = pytest.mark.urls("items.tests.urls")
IN = {"type": "adjustment_in", "reason": "Found in the store"}


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def adjust(client):
    def send(lines, reference="ADJ-1", **more):
        rows = [{"item": sku, "quantity": quantity} for sku, quantity in lines.items()]
        data = {**IN, "reference": reference, "lines": rows, **more}
        return client.post("/api/stock/", data, format="json")

    return send


def faults(answer):
    return [one["field"] for one in answer.json()["error"]["detail"]]


def test_it_books_an_adjustment(registered, adjust, client, deliver, till):
    registered("A")

    answer = adjust({"A": "12.50"})
    deliver(till, "stock")

    movement = answer.json()["movement"]
    assert answer.status_code == 201
    assert (movement["type"], movement["state"]) == ("adjustment in", "queued")
    assert movement["reason"] == "Found in the store"
    assert movement["lines"] == [{"item": "A", "quantity": "12.50", "unit_price": "116.00"}]
    (level,) = client.get("/api/stock/?sku=A").json()["results"]
    assert level["levels"] == [
        {"branch": "00", "level": "12.50", "kra_level": "12.50", "pending": "0.00"}
    ]


def test_it_lists_what_a_branch_has(registered, adjust, client):
    registered("A")
    adjust({"A": "1"})

    here, there = (
        client.get(f"/api/stock/?branch={code}").json()["results"] for code in ("00", "01")
    )

    assert [row["item"] for row in here] == ["A"]
    assert there == []


def test_it_replays_a_repeated_reference(registered, adjust):
    registered("A")

    first, second = adjust({"A": 5}), adjust({"A": 5})

    assert (first.status_code, second.status_code) == (201, 200)
    assert second["Idempotent-Replayed"] == "true"
    assert first.json()["movement"]["id"] == second.json()["movement"]["id"]
    assert Transmission.objects.filter(kind="stock_movement").count() == 1


@pytest.mark.parametrize("lines", [{"A": 6}, {"A": 5, "B": 1}, {"B": 5}])
def test_it_refuses_a_reference_of_another_movement(registered, adjust, lines):
    registered("A", "B")
    adjust({"A": 5})

    answer = adjust(lines)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "reference_reused")


def test_it_replays_a_movement_that_left_lines_behind(sync, adjust, deliver, till, kra):
    kra.replies["item_save"] = [gateway_refused("orgnNatCd cannot be null")]
    sync("A", "B")
    adjust({"A": 5, "B": 2})
    deliver(till)

    answer = adjust({"A": 5, "B": 2})

    assert answer.status_code == 200
    assert StockMovement.objects.count() == 2


def test_it_warns_of_goods_that_kra_does_not_hold(registered, adjust):
    registered("A")
    adjust({"A": 5}, "IN-1")

    answer = adjust({"A": 5}, type="adjustment_out")

    assert answer.status_code == 201
    assert answer.json()["shortages"] == [{"item": "A", "wanted": "5.00", "at_kra": "0.00"}]


def test_it_moves_no_more_than_there_is(registered, adjust):
    registered("A", "B")
    adjust({"A": 5, "B": 1}, "IN-1")

    answer = adjust({"B": 1, "A": "5.01"}, type="waste")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "stock_too_low")
    assert faults(answer) == ["lines[1].quantity"]
    assert "only 5.00 is here" in error["detail"][0]["reason"]
    assert StockMovement.objects.get().reference == "IN-1"
    assert [one.level for one in StockLevel.objects.order_by("item__sku")] == [5, 1]


def test_it_moves_more_than_there_is_when_it_may(registered, adjust, settings):
    settings.STOCK_ALLOW_NEGATIVE = True
    registered("A")

    assert adjust({"A": 5}, type="waste").status_code == 201
    assert StockLevel.objects.get().level == -5


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("opening", "06"), ("import", "01"), ("purchase", "02"), ("transfer_in", "04"),
        ("processing_in", "05"), ("adjustment_in", "06"), ("return_to_supplier", "12"),
        ("processing_out", "14"), ("waste", "15"), ("adjustment_out", "16"),
    ],
)  # fmt: skip
def test_it_books_every_type_that_a_person_may(
    registered, adjust, client, deliver, till, kra, word, code
):
    registered("A")
    adjust({"A": 9}, "FIRST")

    answer = adjust({"A": 5}, type=word)
    deliver(till, "stock")

    assert answer.status_code == 201
    assert [body["sarTyCd"] for body in kra.bodies("stock_io_save")] == ["06", code]
    assert kra.bodies("stock_master_save")[-1]["rsdQty"] == (14 if code < "10" else 4)
    by_code = client.get(f"/api/stock/movements/?type={code}&reference=ADJ-1").json()["results"]
    by_word = client.get(
        f"/api/stock/movements/?type={answer.json()['movement']['type'].replace(' ', '_')}"
    ).json()["results"]
    assert by_code == [one for one in by_word if one["reference"] == "ADJ-1"] != []


@pytest.mark.parametrize("word", ["sale", "return_from_customer", "transfer_out"])
def test_it_says_where_the_other_types_come_from(registered, adjust, word):
    registered("A")

    answer = adjust({"A": 1}, type=word)

    (fault,) = answer.json()["error"]["detail"]
    assert (answer.status_code, fault["field"]) == (400, "type")
    assert "/api/" in fault["next_step"]


@pytest.mark.parametrize(
    ("_case", "lines", "more", "field"),
    [
        ("unknown type", {"A": 1}, {"type": "sale"}, "type"),
        ("no reason", {"A": 1}, {"reason": " "}, "reason"),
        ("tomorrow", {"A": 1}, {"occurred_at": "2100-01-01T00:00:00Z"}, "occurred_at"),
        ("nothing moved", {"A": 0}, {}, "lines[0].quantity"),
        ("three decimals", {"A": "0.001"}, {}, "lines[0].quantity"),
        ("too much", {"A": "1e30"}, {}, "lines[0].quantity"),
        ("unknown item", {"X": 1}, {}, "lines[0].item"),
    ],
)
def test_it_refuses_a_wrong_movement(registered, adjust, _case, lines, more, field):
    registered("A")

    answer = adjust(lines, **more)

    assert answer.status_code in (400, 404)
    assert faults(answer) == [field]
    assert not StockMovement.objects.exists()


def test_it_refuses_services(registered, adjust, row):
    registered(row("S", product_type="service"))

    answer = adjust({"S": 1})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_to_move")


def test_it_needs_a_device(company, api):
    late = api(company("C000000003Z", "Late Stores"))
    data = {**IN, "reference": "R", "lines": [{"item": "A", "quantity": 1}]}

    answer = late.post("/api/stock/", data, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_active_device")


def test_it_books_at_the_branch_of_the_bound_device(alpha, api, device, registered):
    registered("A")
    elsewhere = device(alpha, "alpha-2", branch="01")
    bound = api(alpha, device=elsewhere)
    data = {**IN, "reference": "R", "lines": [{"item": "A", "quantity": 1}]}

    mine = bound.post("/api/stock/", data, format="json")
    other = bound.post("/api/stock/", {**data, "device": "alpha-1"}, format="json")

    assert mine.json()["movement"]["branch"] == "01"
    assert other.status_code == 404


def test_it_refuses_another_companys_item(beta, api, registered):
    registered("A")
    data = {**IN, "reference": "R", "lines": [{"item": "A", "quantity": 1}]}

    answer = api(beta).post("/api/stock/", data, format="json")

    assert answer.status_code == 404
    assert not StockMovement.objects.exists()


def test_it_lists_movements_and_sends_a_refused_one_again(
    registered, adjust, client, deliver, till, kra
):
    registered("A")
    kra.replies["stock_io_save"] = [gateway_refused("regTyCd cannot be null")]
    adjust({"A": 5})
    deliver(till, "stock")

    (movement,) = client.get("/api/stock/movements/?state=refused&branch=00").json()["results"]
    again = client.post(f"/api/stock/movements/{movement['id']}/retry/")
    twice = client.post(f"/api/stock/movements/{movement['id']}/retry/")

    assert movement["trouble"]["message"] == "regTyCd cannot be null"
    assert again.json()["state"] == "queued"
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "movement_not_retryable")
