"""One item changed, composed, found wanting, and compared with KRA's list."""

from decimal import Decimal

import pytest

from items.models import Classification, Item, ItemComponent
from outbox.models import Transmission

from .fake_kra import SILENCE, accepted, said

pytestmark = [pytest.mark.urls("items.tests.urls"), pytest.mark.django_db]


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def call(client):
    def send(method, path, body=None, status=200):
        answer = getattr(client, method)(f"/api/{path}", body, format="json")
        assert answer.status_code == status, answer.content
        return answer.json()

    return send


def test_a_change_and_a_deactivation_reach_kra(call, registered, deliver, till, kra):
    (item,) = registered("A")

    body = call("patch", "items/A/", {"price": "99.50", "is_active": False})

    assert (body["price"], body["is_active"], body["state"]) == ("99.50", False, "queued")
    deliver(till)
    sent = kra.bodies("item_save")[-1]
    assert (sent["useYn"], sent["dftPrc"], sent["itemCd"]) == ("N", Decimal("99.5"), item.code)
    assert sent["itemNm"] == item.name
    call("patch", "items/A/", {"is_active": False})
    assert not Transmission.objects.open().exists()


def test_an_item_of_a_dropped_class_can_be_deactivated(call, registered):
    registered("A")
    Classification.objects.create(environment="simulator", code="77")

    body = call("patch", "items/A/", {"is_active": False})

    assert (body["is_active"], body["classification"], body["tax"]) == (False, "1000000000", "B")
    call("patch", "items/A/", {"classification": "88"}, 400)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": "-1"}, "price"),
        ({"tax": "Q"}, "tax"),
        ({"quantity_unit": "KG"}, "quantity_unit"),
        ({"sku": "B"}, "sku"),
        ({"name": ""}, "name"),
    ],
)
def test_a_faulty_change_changes_nothing(call, registered, body, field):
    registered("A")
    before = Item.objects.values().get()

    error = call("patch", "items/A/", {"barcode": "1"} | body, 400)["error"]

    assert [p["field"] for p in error["detail"]] == [field]
    assert Item.objects.values().get() == before


def test_a_composition_reaches_kra_once(call, registered, deliver, till, kra):
    cake, flour = registered("CAKE", "FLOUR")
    body = {"component": "FLOUR", "quantity": "0.25"}

    assert call("post", "items/CAKE/composition/", body, 202)["state"] == "queued"
    call("post", "items/CAKE/composition/", body, 200)
    deliver(till)

    (sent,) = kra.bodies("item_composition_save")
    assert (sent["itemCd"], sent["cpstItemCd"]) == (cake.code, flour.code)
    assert sent["cpstQty"] == Decimal("0.25")
    (part,) = call("get", "items/CAKE/composition/")["components"]
    assert (part["state"], part["accepted_quantity"]) == ("accepted", "0.25")


def test_a_new_quantity_replaces_what_was_not_sent(call, registered, deliver, till, kra):
    registered("CAKE", "FLOUR")
    for quantity in ("1", "2"):
        call("post", "items/CAKE/composition/", {"component": "FLOUR", "quantity": quantity}, 202)

    deliver(till)

    assert [b["cpstQty"] for b in kra.bodies("item_composition_save")] == [2]


def test_a_refused_composition_says_why_and_can_be_sent_again(call, registered, deliver, till, kra):
    registered("CAKE", "FLOUR")
    body = {"component": "FLOUR", "quantity": "1"}
    kra.replies["item_composition_save"] = [said("910", "Request parameter error")]
    call("post", "items/CAKE/composition/", body, 202)
    deliver(till)
    (part,) = call("get", "items/CAKE/composition/")["components"]
    assert (part["state"], part["accepted_quantity"]) == ("refused", None)
    assert part["trouble"]["help"]

    call("post", "items/CAKE/composition/", body, 202)
    deliver(till)

    (part,) = call("get", "items/CAKE/composition/")["components"]
    assert part["state"] == "accepted"


def test_what_cannot_be_composed(call, registered, sync, row):
    registered("A", "B", "C", row("SRV", product_type="service"))
    sync("DRAFT")
    for parent, component in ("AB", "BC"):
        call("post", f"items/{parent}/composition/", {"component": component, "quantity": 1}, 202)

    for parent, component, status in [
        *(("A", "A", 409), ("C", "A", 409), ("A", "SRV", 409), ("SRV", "A", 409)),
        *(("A", "DRAFT", 409), ("DRAFT", "A", 409), ("A", "NONE", 404), ("NONE", "A", 404)),
    ]:
        body = {"component": component, "quantity": "1"}
        call("post", f"items/{parent}/composition/", body, status)
    for quantity in ("0", "-1", "0.001", "1e11"):
        body = {"component": "C", "quantity": quantity}
        error = call("post", "items/A/composition/", body, 400)["error"]
        assert error["detail"][0]["field"] == "quantity"
    assert ItemComponent.objects.count() == 2


def test_it_lists_what_is_not_ready_and_why(call, registered, sync, row, kra, deliver, till):
    registered("GOOD", row("IDLE", is_active=False), row("FREE", price=Decimal(0)))
    registered(row("ODD", classification="77"))
    Classification.objects.create(environment="simulator", code="1000000000")
    kra.replies["item_save"] = [said("910", "Request parameter error")]
    sync("BAD")
    deliver(till)
    sync("NEW", row("PRIVATE", is_fiscal=False))

    rows = {r["sku"]: r["reasons"] for r in call("get", "items/not-ready/")["results"]}

    assert {sku: [r["field"] for r in reasons] for sku, reasons in rows.items()} == {
        "IDLE": ["is_active"],
        "FREE": ["price"],
        "ODD": ["classification"],
        "BAD": ["state"],
        "NEW": ["state"],
    }
    assert "Request parameter error" in rows["BAD"][0]["reason"]
    assert all(reason["next_step"] for reasons in rows.values() for reason in reasons)


def test_it_suggests_classes_by_words(call, sync, row, alpha):
    for code, name in [("10", "Electric kettles and pots"), ("20", "Live animals"),
                       ("30", "Domestic kitchen appliances")]:  # fmt: skip
        Classification.objects.create(environment="simulator", code=code, name=name)
    sync(row("A", name="Steel kettle", classification="30"))

    found = call("get", "classifications/suggest/?name=Kettle,%20electric%20%26%20'x")["results"]

    assert [(r["code"], r["own_items"]) for r in found] == [("30", 1), ("10", 0)]
    by_words = call("get", "classifications/?q=pot%20electric")["results"]
    assert [r["code"] for r in by_words] == ["10"]
    assert call("get", "classifications/?q=%26%7C!")["results"] == []


def kras(item=None, **more):
    facts = {
        "itemCd": "KE2NTNO0000099", "itemClsCd": "1000000000", "itemTyCd": "2",
        "itemNm": "Stranger", "orgnNatCd": "KE", "pkgUnitCd": "NT", "qtyUnitCd": "NO",
        "taxTyCd": "B", "dftPrc": 116, "useYn": "Y",
    }  # fmt: skip
    ours = {"itemCd": item.code, "itemNm": item.name} if item else {}
    return facts | ours | more


def test_it_compares_with_kras_list_and_adopts_on_request(call, registered, kra, sync):
    a, b, c = registered("A", "B", "C")
    rows = [kras(a), kras(b, itemNm="Other", dftPrc=1), kras(), kras(itemCd="ODD", pkgUnitCd="BAG")]
    answer = accepted({"itemList": rows})
    kra.replies["item_list"] = [answer, answer, answer]

    report = call("post", "items/reconcile/", {})

    assert report["equal"] == 1
    assert [x["sku"] for x in report["only_ours"]] == ["C"]
    (differing,) = report["differing"]
    assert {d["field"]: (d["ours"], d["kras"]) for d in differing["differences"]} == {
        "name": ("Item B", "Other"),
        "price": ("116.00", "1"),
    }
    assert [x["code"] for x in report["only_kras"]] == ["KE2NTNO0000099", "ODD"]
    assert Item.objects.count() == 3

    wanted = {"adopt": ["KE2NTNO0000099", "ODD", "NONE", c.code]}
    report = call("post", "items/reconcile/", wanted)

    shown = {
        x["code"]: (x["sku"], [p["field"] for p in x["problems"]]) for x in report["only_kras"]
    }
    assert shown["KE2NTNO0000099"] == ("KE2NTNO0000099", [])
    assert shown["ODD"] == ("", ["packaging_unit"])
    assert shown["NONE"] == ("", ["adopt"])
    adopted = Item.objects.get(sku="KE2NTNO0000099")
    assert (adopted.state, adopted.price) == ("registered", Decimal(116))
    assert call("post", "items/reconcile/", {"adopt": [adopted.code]})["equal"] == 2
    assert Item.objects.count() == 4


def test_a_silent_kra_cannot_be_compared_with(call, registered, kra):
    registered("A")
    kra.replies["item_list"] = [SILENCE]

    call("post", "items/reconcile/", {"adopt": ["X"]}, 502)
