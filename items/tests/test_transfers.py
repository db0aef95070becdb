"""Goods between two branches of one company."""

import pytest
from django.db import OperationalError

from items import services
from items.models import StockLevel, StockMovement
from items.services.stock_check import wrong_levels
from outbox.models import Transmission

pytestmark = pytest.mark.urls("items.tests.urls")


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def shops(alpha, till, device):
    """Devices of branch 01 and 02."""
    return device(alpha, "alpha-2", branch="01"), device(alpha, "alpha-3", branch="02")


@pytest.fixture
def stocked(registered, client, row):
    """Nine of A at the head office, and a service."""
    registered("A", "B", row("S", product_type="service"))
    lines = [{"item": "A", "quantity": 9}]
    client.post("/api/stock/", {"type": "opening", "reference": "O", "lines": lines}, format="json")


@pytest.fixture
def move(client):
    def send(lines=None, reference="T-1", to="01", by=client, **more):
        rows = [{"item": s, "quantity": q} for s, q in (lines or {"A": 4}).items()]
        data = {"reference": reference, "from_branch": "00", "to_branch": to, "lines": rows}
        return by.post("/api/stock/transfers/", data | more, format="json")

    return send


def levels():
    rows = StockLevel.objects.order_by("branch__code").values_list("branch__code", "level")
    return {code: int(level) for code, level in rows}


def test_it_names_the_other_branch_to_kra(shops, stocked, move, deliver, till, kra):
    move(reason="Thika is out")
    deliver(till, "stock")
    deliver(shops[0], "stock")

    _, out, arrived = kra.bodies("stock_io_save")
    assert [(b["bhfId"], b["custBhfId"], b["sarTyCd"]) for b in (out, arrived)] == [
        ("00", "01", "13"),
        ("01", "00", "04"),
    ]
    assert (arrived["sarNo"], arrived["remark"]) == (1, "Thika is out")
    assert [b["rsdQty"] for b in kra.bodies("stock_master_save")] == [9, 5, 4]
    assert levels() == {"00": 5, "01": 4}


def test_it_moves_a_reference_once(shops, stocked, move):
    first, again = move(), move()

    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["arrival"]["id"] == first.json()["arrival"]["id"]
    assert levels() == {"00": 5, "01": 4}


@pytest.mark.parametrize(
    ("_case", "change"),
    [
        ("other goods", {"lines": {"A": 3}}),
        ("another branch", {"to": "02"}),
        ("another sender, same receiver", {"from_branch": "02"}),
    ],
)
def test_it_refuses_a_reference_of_another_transfer(shops, stocked, move, _case, change):
    move()

    answer = move(**change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "reference_reused")
    assert levels() == {"00": 5, "01": 4}


@pytest.mark.parametrize(
    ("_case", "change", "status", "code", "field"),
    [
        ("same branch", {"to": "00"}, 400, "invalid", "to_branch"),
        ("no such branch", {"to": "77"}, 404, "not_found", "to_branch"),
        ("no such sender", {"from_branch": "77"}, 404, "not_found", "from_branch"),
        ("no code", {"to": "main"}, 400, "invalid", "to_branch"),
        ("unknown item", {"lines": {"X": 1}}, 404, "unknown_item", "lines[0].item"),
        ("too much", {"lines": {"A": 10}}, 409, "stock_too_low", "lines[0].quantity"),
        ("none there", {"lines": {"A": 1, "B": 1}}, 409, "stock_too_low", "lines[1].quantity"),
        ("not a number", {"lines": {"A": "NaN"}}, 400, "invalid", "lines[0].quantity"),
        ("nothing", {"lines": {"A": 0}}, 400, "invalid", "lines[0].quantity"),
        ("tomorrow", {"occurred_at": "2100-01-01T00:00:00Z"}, 400, "invalid", "occurred_at"),
    ],
)
def test_it_refuses_a_wrong_transfer(shops, stocked, move, _case, change, status, code, field):
    answer = move(**change)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert [one["field"] for one in error["detail"]] == [field]
    assert levels() == {"00": 9}
    assert StockMovement.objects.get().reference == "O"


def test_it_refuses_goods_without_a_stock(shops, stocked, move, sync):
    sync("NEW")

    service, new = move({"S": 1}), move({"NEW": 1})

    assert (service.status_code, service.json()["error"]["code"]) == (409, "nothing_to_move")
    assert (new.status_code, new.json()["error"]["code"]) == (409, "not_registered")
    assert levels() == {"00": 9}


def test_it_needs_a_device_in_both_branches(shops, stocked, move):
    shops[0].state = "suspended"
    shops[0].save()

    answer = move()

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "no_active_device")
    assert error["detail"][0]["field"] == "to_branch"
    assert levels() == {"00": 9}


def test_a_till_sends_only_what_its_own_branch_has(alpha, shops, stocked, move, api, till):
    here, elsewhere = api(alpha, device=till), api(alpha, device=shops[0])

    assert move(by=elsewhere).status_code == 404
    assert move(by=here).status_code == 201


def test_another_company_has_other_branches(beta, device, shops, stocked, move, api):
    device(beta, "beta-2", branch="02")

    assert move(by=api(beta)).status_code == 404
    assert move(by=api(beta), to="02").json()["error"]["code"] == "unknown_item"
    assert levels() == {"00": 9}


def test_it_moves_both_sides_or_none(shops, stocked, move, monkeypatch):
    book = services.book_stock

    def die(**about):
        if about.get("departure"):
            raise OperationalError("the server went away")
        return book(**about)

    monkeypatch.setattr("items.services.transfers.book_stock", die)
    with pytest.raises(OperationalError):
        move()

    assert levels() == {"00": 9}
    assert StockMovement.objects.count() == 1
    assert Transmission.objects.filter(kind="stock_movement").count() == 1


def test_a_change_of_the_item_lets_no_goods_arrive(shops, stocked, move, sync, row, deliver, till):
    move()
    sync(row("A", name="Renamed"))

    deliver(till)

    arrival = StockMovement.objects.get(type="04")
    assert arrival.state == "waiting"
    deliver(till, "stock")
    arrival.refresh_from_db()
    assert arrival.state == "queued"
    assert wrong_levels() == []
