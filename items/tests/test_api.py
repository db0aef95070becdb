"""Over HTTP: what a till may do, and what it never sees."""

import pytest

from companies.models import Scope
from items.models import Code, Item, StockMovement
from items.services import sync_codes
from outbox.models import Transmission

from .fake_kra import SILENCE, gateway_refused, published, tree

pytestmark = pytest.mark.urls("items.tests.urls")
ROW = {
    "sku": "SKU-1",
    "name": "Kettle",
    "classification": "1000000000",
    "tax": "standard",
    "price": "2320.00",
}


@pytest.fixture
def post(alpha, api):
    client = api(alpha)

    def send(path, data, **headers):
        return client.post(f"/api/{path}", data, format="json", headers=headers)

    return send


@pytest.fixture
def get(alpha, api):
    client = api(alpha)
    return lambda path: client.get(f"/api/{path}")


def error_of(answer):
    error = answer.json()["error"]
    return answer.status_code, error["code"], [one["field"] for one in error["detail"]]


def test_it_takes_a_catalogue(post, kra):
    kra.replies["code_list"] = [published()]
    kra.replies["item_class_list"] = [tree("1000000000")]

    answer = post("item/sync/", {"items": [ROW, {**ROW, "sku": "SKU-2", "price": None}, 7]})

    body = answer.json()
    assert answer.status_code == 200
    assert body["summary"] == {"created": 1, "updated": 0, "unchanged": 0, "refused": 2}
    assert body["codes"] == {"state": "pulled", "detail": ""}
    good, bad, odd = body["results"]
    assert (good["sku"], good["verdict"], good["state"]) == ("SKU-1", "created", "queued")
    assert (bad["row"], bad["sku"], bad["problems"][0]["field"]) == (1, "SKU-2", "price")
    assert set(bad["problems"][0]) == {"field", "reason", "next_step"}
    assert odd["verdict"] == "refused"


def test_it_registers_while_the_caller_waits(post, get):
    answer = post("item/sync/", {"items": [ROW]}, prefer="wait=5")

    assert answer.json()["results"][0]["state"] == "registered"
    shown = get("items/SKU-1/").json()
    assert (shown["state"], shown["code"]) == ("registered", "KE2NTNO0000001")
    assert (shown["price"], shown["tax"], shown["trouble"]) == ("2320.00", "B", None)


def test_it_takes_the_catalogue_while_kra_is_down(post, kra):
    kra.replies["code_list"] = [SILENCE]

    body = post("item/sync/", {"items": [ROW]}).json()

    assert body["summary"]["created"] == 1
    assert body["codes"]["state"] == "failed"


def test_it_pulls_lists_when_asked(post, kra):
    assert post("item/sync/", {"lists": True}).json()["codes"]["state"] == "pulled"

    kra.replies["code_list"] = [SILENCE]
    assert error_of(post("item/sync/", {"lists": True})) == (502, "kra_unavailable", [])


@pytest.mark.parametrize(
    ("_case", "data", "expected"),
    [
        ("nothing to do", {}, (400, "invalid", ["items"])),
        ("too many rows", {"items": [1] * 5001}, (400, "invalid", ["items"])),
        ("unknown field", {"rows": []}, (400, "invalid", ["rows"])),
        ("unknown device", {"items": [ROW], "device": "x"}, (404, "not_found", [])),
    ],
)
def test_it_refuses_a_wrong_sync(post, _case, data, expected):
    assert error_of(post("item/sync/", data)) == expected
    assert not Item.objects.exists()


def test_it_needs_the_scope_to_write(alpha, api):
    reader = api(alpha, scopes=[Scope.SALES_READ])

    answers = [
        reader.post("/api/item/sync/", {"items": [ROW]}, format="json"),
        reader.post("/api/items/SKU-1/retry/"),
        reader.post("/api/stock/", {}, format="json"),
        reader.post("/api/stock/movements/1/retry/"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert reader.get("/api/items/").status_code == 200
    assert not Item.objects.exists()


def test_it_acts_for_the_company_that_the_operator_names(alpha, api):
    operator = api(None, scopes=[Scope.PLATFORM])
    data = {"items": [ROW], "company": alpha.pin}

    answer = operator.post("/api/item/sync/", data, format="json")

    assert answer.json()["summary"]["created"] == 1
    assert Item.objects.get().company == alpha


def test_it_lists_by_filter(post, get, kra):
    kra.replies["item_save"] = [gateway_refused("orgnNatCd cannot be null")]
    rows = [ROW, {**ROW, "sku": "SKU-2", "tax": "A"}, {**ROW, "sku": "N", "is_fiscal": False}]
    post("item/sync/", {"items": rows}, prefer="wait=5")

    def skus(query):
        return [row["sku"] for row in get(f"items/?{query}").json()["results"]]

    assert skus("") == ["N", "SKU-2", "SKU-1"]
    assert skus("state=refused") == ["SKU-1"]
    assert skus("state=registered") == ["SKU-2"]
    assert skus("state=draft") == ["N"]
    assert skus("state=queued") == []
    assert skus("tax=A") == ["SKU-2"]
    assert skus("sku=SKU-1") == ["SKU-1"]
    assert skus("changed_since=2100-01-01T00:00:00Z") == []
    assert get("items/?state=odd").status_code == 400


def test_it_says_why_kra_refused_an_item(post, get, kra):
    kra.replies["item_save"] = [gateway_refused("orgnNatCd cannot be null")]
    post("item/sync/", {"items": [ROW]}, prefer="wait=5")

    trouble = get("items/SKU-1/").json()["trouble"]
    answer = post("items/SKU-1/retry/", {})

    assert trouble["message"] == "orgnNatCd cannot be null"
    assert trouble["help"]
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


def test_it_refuses_to_retry_a_registered_item(post):
    post("item/sync/", {"items": [ROW]}, prefer="wait=5")

    assert error_of(post("items/SKU-1/retry/", {})) == (409, "item_not_retryable", [])


def test_it_finds_an_item_whose_sku_holds_a_slash(post, get):
    post("item/sync/", {"items": [{**ROW, "sku": "A/1"}]})

    assert get("items/A/1/").json()["sku"] == "A/1"


@pytest.mark.parametrize(
    "path", ["items/SKU-1/", "items/SKU-1/retry/", "stock/movements/{}/retry/"]
)
def test_it_hides_another_companys_objects(beta, api, post, path):
    post("item/sync/", {"items": [{**ROW, "opening_stock": 5}]}, prefer="wait=5")
    before = (list(Item.objects.values()), list(Transmission.objects.values()))
    other, movement = api(beta), StockMovement.objects.get()
    ask = other.post if path.endswith("retry/") else other.get

    answer = ask(f"/api/{path.format(movement.pk)}")

    assert answer.status_code == 404
    assert (list(Item.objects.values()), list(Transmission.objects.values())) == before


def test_it_lists_nothing_of_another_company(beta, api, post):
    post("item/sync/", {"items": [{**ROW, "opening_stock": 5}]}, prefer="wait=5")

    other = api(beta)

    for path in ("items/", "stock/", "stock/movements/"):
        assert other.get(f"/api/{path}").json()["results"] == []


def test_it_creates_its_own_item_beside_another_companys(beta, api, post):
    post("item/sync/", {"items": [ROW]})
    before = list(Item.objects.values())

    api(beta).post("/api/item/sync/", {"items": [{**ROW, "name": "Other"}]}, format="json")

    assert Item.objects.count() == 2
    assert list(Item.objects.exclude(company=beta).values()) == before


def test_it_shows_kras_lists(till, get, kra):
    kra.replies["code_list"] = [published()]
    kra.replies["item_class_list"] = [tree("1000000000", "2000000000")]
    assert get("codes/17/").status_code == 404
    sync_codes(till)

    assert get("codes/tax/").json()["results"][1]["extra"] == ["16", "", ""]
    packaging = get("codes/17/").json()
    assert [code["code"] for code in packaging["results"]] == ["NT", "CT", "BG"]
    assert [c["code"] for c in get("classifications/?search=2000").json()["results"]] == [
        "2000000000"
    ]
    assert len(get("classifications/?search=good").json()["results"]) == 2


def test_it_shows_the_lists_of_the_companys_environment(get, till):
    Code.objects.create(environment="sandbox", class_id="99", code="X", changed_at=till.created_at)

    assert get("codes/99/").status_code == 404
