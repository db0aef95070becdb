"""A purchase through the API, over real HTTP to the simulator: once at KRA, and once in stock."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client

from items.models import StockMovement
from outbox.models import Lane, Transmission
from purchases.models import Purchase

from .conftest import deliver_all
from .refusals import error_of, fields_of, snapshot
from .test_crash import run_victim

pytestmark = pytest.mark.django_db(transaction=True)
SEEDED = [77, 78, 79, 412, 413]


@pytest.fixture
def offered(shop):
    """The simulator's suppliers, fetched."""
    response = shop.post("/api/purchases/sync/", {})
    assert response.status_code == 200, response.content
    (verdict,) = response.json()["branches"]
    assert (verdict["state"], verdict["new"], verdict["unreadable"]) == ("synced", 5, 0)
    return shop


def find(shop, number):
    (row,) = shop.get(f"/api/purchases/?number={number}").json()["results"]
    return row


def path_of(shop, number, verb=""):
    return f"/api/purchases/{find(shop, number)['id']}/{verb}"


def match(shop, number, *skus):
    lines = [{"line": place, "item": sku} for place, sku in enumerate(skus, 1)]
    response = shop.post(path_of(shop, number, "match/"), {"lines": lines})
    assert response.status_code == 200, response.content
    return response.json()


def confirm(shop, number, *lines, **headers):
    return shop.post(path_of(shop, number, "confirm/"), {"lines": list(lines)}, **headers)


def at_kra(shop):
    return shop.simulator.ledger(shop.pin)


def kettles(shop):
    """How many there are: in our books, and in KRA's."""
    rows = shop.get("/api/stock/").json()["results"]
    (level,) = next(row for row in rows if row["item"] == "KETTLE")["levels"]
    code = shop.get("/api/items/KETTLE/").json()["code"]
    held = at_kra(shop)
    return float(level["level"]), held["stock"][code], held["reported"][code]


def test_it_confirms_a_part_and_the_goods_come_in(offered):
    shop = offered
    assert match(shop, 77, "KETTLE")["state"] == "matched"

    response = confirm(shop, 77, {"line": 1, "quantity": "3"}, Prefer="wait=10")
    shop.deliver()

    assert response.status_code == 200, response.content
    body = response.json()
    assert (body["state"], body["purchase_number"], body["trouble"]) == ("confirmed", 1, None)
    assert (body["confirmed_total"], body["confirmed_tax_amount"]) == ("3480.00", "480.00")
    assert body["lines"][0]["confirmed"] == {
        "quantity": "3", "taxable_amount": "3000.00", "tax_amount": "480.00", "total": "3480.00",
    }  # fmt: skip
    held = at_kra(shop)
    assert held["purchases"] == [
        {"number": 1, "supplier_pin": "P000000000S", "supplier_number": 77, "total": "3480.00"}
    ]
    assert kettles(shop) == (10003, 10003, 10003)
    assert not Transmission.objects.open().exists()


def test_it_confirms_through_the_gateway(open_shop):
    shop = open_shop(profile="gavaconnect")
    shop.post("/api/purchases/sync/", {})
    match(shop, 77, "KETTLE")

    confirm(shop, 77)
    shop.deliver()

    assert_bought_once(shop)


def test_it_confirms_what_suppliers_rounded(offered):
    """Case 20: the validator would refuse the supplier's own figures."""
    shop = offered
    for number, skus in [(78, ["SEED", "KETTLE"]), (79, ["KETTLE"]), (412, ["FIT"])]:
        match(shop, number, *skus)
        assert confirm(shop, number).status_code == 202

    shop.deliver()

    totals = [(one["number"], one["total"]) for one in at_kra(shop)["purchases"]]
    assert totals == [(1, "2510.07"), (2, "1302.07"), (3, "4872.37")]
    assert at_kra(shop)["counters"]["purchase"] == 3
    # The third is a service: nothing moves.
    assert StockMovement.objects.filter(type="02").count() == 2


def test_a_second_round_brings_nothing_twice_and_remembers(offered):
    shop = offered
    match(shop, 79, "KETTLE")

    (verdict,) = shop.post("/api/purchases/sync/", {}).json()["branches"]

    assert verdict["new"] == 0
    assert sorted(Purchase.objects.values_list("number", flat=True)) == SEEDED
    again = shop.post(path_of(shop, 78, "match/"), {}).json()
    assert [line["matched_by"] for line in again["lines"]] == ["", "remembered"]


def test_kra_down_fetches_nothing_and_the_next_round_does(shop):
    shop.simulator.outage(True)
    before = Purchase.objects.count()

    response = shop.post("/api/purchases/sync/", {})

    assert response.status_code == 502
    assert response.json()["error"]["detail"][0]["next_step"]
    assert Purchase.objects.count() == before == 0
    shop.simulator.outage(False)
    assert shop.post("/api/purchases/sync/", {"branch": "00"}).json()["branches"][0]["new"] == 5


DEATHS = ["after_claim", "after_send", "after_answer_stored", "inside_purchase", "after_record"]


@pytest.mark.parametrize("point", DEATHS)
def test_a_killed_worker_doubles_nothing(offered, point):
    shop = offered
    match(shop, 77, "KETTLE")
    assert confirm(shop, 77).status_code == 202
    lane = Lane.objects.get(device=shop.device, stream="purchase")

    victim = run_victim(shop.simulator, point, lane.pk)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()
    deliver_all()

    assert_bought_once(shop)


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "reset", "html", "empty_body"])
def test_a_lost_answer_doubles_nothing(offered, fault):
    shop = offered
    match(shop, 77, "KETTLE")
    shop.simulator.fault(fault, "purchase_save")
    confirm(shop, 77)

    shop.deliver()

    assert_bought_once(shop)


@pytest.mark.parametrize("fault", ["lost_after", "lost_before"])
def test_it_asks_the_list_when_a_repeat_is_refused(offered, fault):
    """KRA may look at the supplier's invoice before it looks at the number."""
    shop = offered
    match(shop, 77, "KETTLE")
    shop.simulator.fault(fault, "purchase_save")
    text = "Supplier invoice number 77 does not exist"
    shop.simulator.fault("refusal", "purchase_save", message=text, http_status=400)
    confirm(shop, 77)

    shop.deliver()

    if fault == "lost_after":
        assert_bought_once(shop)
        return
    assert find(shop, 77)["state"] == "refused"  # it is offered still: KRA never had it
    assert text in find(shop, 77)["trouble"]["message"]
    confirm(shop, 77)
    shop.deliver()
    assert_bought_once(shop)


def assert_bought_once(shop):
    held = at_kra(shop)
    assert [(one["number"], one["supplier_number"]) for one in held["purchases"]] == [(1, 77)]
    assert find(shop, 77)["state"] == "confirmed"
    assert Lane.objects.get(device=shop.device, stream="purchase").last_number == 1
    assert StockMovement.objects.filter(type="02").count() == 1
    assert kettles(shop) == (10005, 10005, 10005)
    match(shop, 79, "KETTLE")
    confirm(shop, 79)
    shop.deliver()
    assert [one["number"] for one in at_kra(shop)["purchases"]] == [1, 2]


def test_many_confirm_at_once_and_one_is_heard(offered):
    shop = offered
    match(shop, 77, "KETTLE")
    path = path_of(shop, 77, "confirm/")

    def press(_):
        try:
            return (
                Client()
                .post(path, {}, content_type="application/json", headers=shop.headers())
                .status_code
            )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(press, range(4)))

    assert answers == [202, 409, 409, 409]
    assert Transmission.objects.filter(kind="purchase").count() == 1


def test_confirm_and_reject_at_once_leave_one_of_the_two(offered):
    """Whoever comes first: KRA is told exactly when the invoice is not rejected."""
    shop = offered
    match(shop, 77, "KETTLE")
    match(shop, 79, "KETTLE")
    bodies = {"confirm/": {}, "reject/": {"reason": "Not ours."}}

    def press(path, body):
        try:
            return (
                Client()
                .post(path, body, content_type="application/json", headers=shop.headers())
                .status_code
            )
        finally:
            connections.close_all()

    def work():
        try:
            deliver_all()
        finally:
            connections.close_all()

    for number in (77, 79):
        paths = [(path_of(shop, number, verb), body) for verb, body in bodies.items()]
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(press, *one) for one in paths]
            jobs.append(pool.submit(work))
        assert all(job.result() in (200, 202, 409, None) for job in jobs)
    shop.deliver()

    states = {77: find(shop, 77)["state"], 79: find(shop, 79)["state"]}
    held = sorted(one["supplier_number"] for one in at_kra(shop)["purchases"])
    assert held == [number for number, state in states.items() if state == "confirmed"]
    assert set(states.values()) <= {"confirmed", "rejected"}


def test_a_refusal_names_its_cause_and_the_way_out(offered):
    shop = offered
    match(shop, 77, "KETTLE")
    Purchase.objects.filter(number=77).update(supplier_name="Someone Else")
    body = confirm(shop, 77, Prefer="wait=10").json()
    assert (body["state"], body["trouble"]["code"]) == ("refused", "910")
    assert "name is not the one" in body["trouble"]["cause"]
    assert all(body["trouble"][name] for name in ("cause", "next_step", "next_step_sw"))
    assert "confirm" in body["next_step"]

    Purchase.objects.filter(number=77).update(supplier_name="Bidhaa Wholesale Ltd")
    assert confirm(shop, 77, Prefer="wait=10").json()["state"] == "confirmed"
    shop.deliver()

    assert_bought_once(shop)


BAD = [
    ("confirm/", {"lines": [{"line": 1, "quantity": "5.01"}]}, ["lines[0].quantity"]),
    ("confirm/", {"lines": [{"line": 2}]}, ["lines[0].line"]),
    ("confirm/", {"lines": [{"line": 1, "quantity": "many"}]}, ["lines[0].quantity"]),
    ("confirm/", {"lines": [{"line": 1, "amount": 3}]}, ["lines[0].amount"]),
    ("confirm/", {"lines": [{"line": 10**30}]}, ["lines[0].line"]),
    ("confirm/", {"lines": [{"line": 1, "quantity": "1e999"}]}, ["lines[0].quantity"]),
    ("match/", {"lines": [{"line": 9, "item": "KETTLE"}]}, ["lines[0].line"]),
    ("match/", {"lines": [{"line": 1}]}, ["lines[0].item"]),
    ("reject/", {"reason": "  "}, ["reason"]),
    ("reject/", {}, ["reason"]),
]


@pytest.mark.parametrize(("verb", "body", "fields"), BAD, ids=str)
def test_bad_input_is_named_and_changes_nothing(offered, verb, body, fields):
    shop = offered
    match(shop, 77, "KETTLE")
    path, before = path_of(shop, 77, verb), snapshot()

    response = shop.post(path, body)

    assert fields_of(response) == fields
    assert snapshot() == before


def test_an_unknown_item_is_a_404_with_its_field(offered):
    response = offered.post(
        path_of(offered, 77, "match/"), {"lines": [{"line": 1, "item": "NOBODY"}]}
    )

    assert response.status_code == 404
    error = error_of(response)
    assert (error["code"], error["detail"][0]["field"]) == ("unknown_item", "lines[0].item")


def test_it_is_left_with_a_reason_and_taken_up_again(offered):
    shop = offered
    match(shop, 77, "KETTLE")

    left = shop.post(path_of(shop, 77, "reject/"), {"reason": "We never ordered this."}).json()

    assert (left["state"], left["reason"]) == ("rejected", "We never ordered this.")
    assert error_of(confirm(shop, 77))["code"] == "not_confirmable"
    assert error_of(shop.post(path_of(shop, 77, "match/"), {}))["code"] == "not_matchable"
    again = shop.post(path_of(shop, 77, "reopen/"), {}).json()
    assert (again["state"], again["reason"]) == ("matched", "")
    assert error_of(shop.post(path_of(shop, 77, "reopen/"), {}))["code"] == "not_reopenable"
    assert error_of(shop.post(path_of(shop, 77, "retry/"), {}))["code"] == "not_confirmable"


def test_it_finds_by_state_supplier_and_date(offered):
    def numbers(query):
        rows = offered.get(f"/api/purchases/?{query}").json()["results"]
        return [row["number"] for row in rows]

    match(offered, 77, "KETTLE")

    assert numbers("state=matched") == [77]
    assert numbers("supplier=P000000000T") == [413, 412]
    assert numbers("invoiced_from=2026-09-15&invoiced_to=2026-09-15&limit=2") == [413, 412]
    assert numbers("invoiced_from=2026-09-16") == []
    assert offered.get("/api/purchases/?state=nonsense").status_code == 400


def test_a_sale_between_two_shops_is_a_purchase(open_shop):
    seller = open_shop("A123456789Z", "dvc-s")
    buyer = open_shop("B123456789Z", "dvc-b")
    seller.sell("S-1", customer={"pin": buyer.pin, "name": "Buyer"})
    seller.deliver()

    buyer.post("/api/purchases/sync/", {})
    row = find(buyer, 1)
    detail = buyer.get(f"/api/purchases/{row['id']}/").json()
    match(buyer, 1, "KETTLE", "FIT")
    confirm(buyer, 1)
    buyer.deliver()

    assert (row["supplier_pin"], row["total"]) == (seller.pin, "4320.00")
    # Both catalogues give the kettle the same code and name.
    assert detail["lines"][0]["matched_by"] == "code"
    assert find(buyer, 1)["state"] == "confirmed"
    assert at_kra(buyer)["purchases"][0]["supplier_number"] == 1
    assert find(buyer, 1)["confirmed_total"] == "4320.00"
