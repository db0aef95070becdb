"""Goods on their way through the whole house, over real HTTP to the strict simulator."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.initialisation import initialise
from devices.models import Call
from items import tasks
from items.models import StockLevel, StockMovement, SyncState
from items.services.stock_check import wrong_levels

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def second(shop, simulator):
    """The shop's second branch, with a device of its own."""
    made = shop.post("/api/branches/", {"code": "01", "name": "Thika"})
    assert made.status_code == 201, made.content
    simulator.approve(shop.pin, "01", "dvcv0001")
    branch = shop.company.branches.get(code="01")
    device = initialise(company=shop.company, branch=branch, serial="dvcv0001")
    tasks.sync_codes()  # KRA takes no stock from a device that never asked for its classes
    return device


def move(shop, quantity, reference="MOVE-1", **more):
    body = {
        "reference": reference, "from_branch": "00", "to_branch": "01",
        "lines": [{"item": "KETTLE", "quantity": quantity}],
    }  # fmt: skip
    return shop.post("/api/stock/transfers/", body | more)


def level(shop, branch="00", sku="KETTLE"):
    (row,) = shop.get(f"/api/stock/?sku={sku}").json()["results"]
    (found,) = [one for one in row["levels"] if one["branch"] == branch]
    return [float(found[name]) for name in ("level", "kra_level", "pending")]


def kettles_at_kra(shop, branch="00"):
    held = shop.simulator.ledger(shop.pin, branch)["stock"]
    return [float(quantity) for code, quantity in held.items() if code.startswith("KE2CT")]


def test_it_moves_goods_between_branches(shop, second):
    answer = move(shop, "5")

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["departure"]["branch"], body["departure"]["state"]) == ("00", "queued")
    assert (body["arrival"]["branch"], body["arrival"]["state"]) == ("01", "waiting")
    assert level(shop) == [9995, 10000, -5]
    shop.deliver()
    assert kettles_at_kra(shop) == [9995]
    assert kettles_at_kra(shop, "01") == [5]
    assert (level(shop), level(shop, "01")) == ([9995, 9995, 0], [5, 5, 0])
    compared = shop.post("/api/stock/reconcile/", {"device": second.serial}).json()
    assert (compared["branch"], compared["is_equal"], compared["pending"]) == ("01", True, [])
    assert move(shop, "5").status_code == 200
    assert StockMovement.objects.filter(reference="MOVE-1").count() == 2


def test_it_lets_no_goods_arrive_that_kra_did_not_let_go(shop, second, simulator):
    simulator.fault("result_code", "stock_io_save", code="910")

    move(shop, "5")
    shop.deliver()

    assert kettles_at_kra(shop, "01") == []
    moved = StockMovement.objects.filter(reference="MOVE-1").order_by("pk")
    assert list(moved.values_list("type", "state")) == [("13", "refused"), ("04", "refused")]
    assert (level(shop), level(shop, "01")) == ([10000, 10000, 0], [0, 0, 0])
    compared = shop.post("/api/stock/reconcile/", {}).json()
    assert [one["kind"] for one in compared["differences"]] == ["refused"]

    simulator.heal()
    retry = "/api/stock/movements/{}/retry/"
    assert shop.post(retry.format(moved[1].pk), {}).status_code == 409
    assert shop.post(retry.format(moved[0].pk), {}).status_code == 200
    shop.deliver()
    assert kettles_at_kra(shop, "01") == [5]
    assert (level(shop), level(shop, "01")) == ([9995, 9995, 0], [5, 5, 0])
    assert wrong_levels() == []


def test_goods_leave_with_the_sale_and_come_back_with_the_note(shop):
    sold = shop.sale("T-1", lines=[{"item": "KETTLE", "quantity": "3"}])
    answer = shop.post("/api/sales/", sold)
    assert answer.json()["warnings"] == []
    assert not StockMovement.objects.filter(type="11").exists()  # never ahead of its sale
    assert level(shop) == [10000, 10000, 0]

    shop.deliver()
    assert (level(shop), kettles_at_kra(shop)) == ([9997, 9997, 0], [9997])

    for reference, quantity, returns in (("C-1", "1", True), ("C-2", "1", False)):
        note = {
            "device": shop.device.serial, "reference": reference, "original": "T-1",
            "lines": [{"line": 1, "quantity": quantity}], "returns_goods": returns,
        }  # fmt: skip
        assert shop.post("/api/credit-notes/", note).status_code == 202
        shop.deliver()

    assert (level(shop), kettles_at_kra(shop)) == ([9998, 9998, 0], [9998])
    assert list(StockMovement.objects.filter(type="03").values_list("reference", flat=True)) == [
        "C-1"
    ]
    assert wrong_levels() == []


def test_a_refused_sale_moves_nothing(shop, simulator):
    simulator.fault("result_code", code="910")
    shop.sell("T-1")

    shop.deliver()

    assert not StockMovement.objects.filter(type="11").exists()
    assert level(shop) == [10000, 10000, 0]


def test_it_warns_of_a_sale_of_goods_that_kra_does_not_hold(shop):
    sold = shop.sale("T-1", lines=[{"item": "KETTLE", "quantity": "10001"}])

    preview = shop.post("/api/sales/preview/", sold).json()
    answer = shop.post("/api/sales/", sold)

    warning = {"item": "KETTLE", "wanted": "10001.00", "at_kra": "10000.00"}
    assert (answer.status_code, preview["warnings"]) == (202, [warning])
    assert answer.json()["warnings"] == [warning]
    assert shop.post("/api/sales/", sold).json()["warnings"] == [warning]


def test_it_keeps_the_last_lists_and_goes_on_where_it_broke_off(shop, simulator, settings):
    settings.LISTS_MAX_AGE_HOURS = 1
    long_ago = timezone.now() - timedelta(hours=2)
    SyncState.objects.update(synced_at=long_ago)
    simulator.call("PUT", "rates", {"B": "18"})
    simulator.fault("html", "item_class_list")
    tasks.sync_codes()
    broken = {state.name: state.synced_at for state in SyncState.objects.all()}
    assert (broken["code_list"] > long_ago, broken["item_class_list"]) == (True, long_ago)
    simulator.outage(True)

    codes = shop.get("/api/codes/tax/?search=b-vat").json()
    rates = shop.get("/api/tax-rates/").json()["results"]

    assert [code["code"] for code in codes["results"]] == ["B"]
    (standard,) = [rate for rate in rates if rate["letter"] == "B"]
    assert (standard["current"], standard["pending"]["rate"]) == ("16.00", "18.00")
    simulator.heal()
    asked = Call.objects.count()
    tasks.sync_codes()
    again = Call.objects.order_by("pk")[asked:]
    assert [call.endpoint for call in again] == ["item_class_list", "notice_list"]
    assert SyncState.objects.get(name="code_list").synced_at == broken["code_list"]


def test_it_shows_kras_notices_once(shop, settings):
    settings.LISTS_MAX_AGE_HOURS = 0
    tasks.sync_codes()
    tasks.sync_codes()

    notices = shop.get("/api/notices/").json()["results"]

    assert [notice["number"] for notice in notices][:1] != []
    assert len({notice["number"] for notice in notices}) == len(notices)
    assert all(notice["url"].startswith("https://") for notice in notices)
    lists = shop.get("/api/codes/").json()["lists"]
    assert [one["name"] for one in lists] == ["codes", "classifications", "notices"]
    assert all(one["age_seconds"] < 60 for one in lists)


def test_the_levels_of_every_branch_are_the_sums(shop, second):
    move(shop, "7")
    shop.sell("T-1")
    shop.deliver()

    assert wrong_levels() == []
    assert StockLevel.objects.count() == 3
