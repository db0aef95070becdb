"""Customers, users, insurers, branches and PINs, over real HTTP to the simulator."""

from dataclasses import replace

import pytest

from companies.models import ApiToken, Branch
from devices.models import Call, Device
from outbox.models import Transmission
from sales.tests import shop as offline

pytestmark = pytest.mark.django_db(transaction=True)

# path, body, an edit, endpoint, KRA's group, KRA's name of the edited field
SAVES = [
    (
        "/api/customers/",
        {"number": "C-1", "pin": "P000000000B", "name": "Jamii Hardware Ltd"},
        {"name": "Jamii Stores"},
        "branch_customer_save", "customer", "custNm",
    ),
    (
        "/api/branch-users/",
        {"user_id": "asha", "name": "Asha Njeri", "password": "opens-Nothing"},
        {"name": "Asha N."},
        "branch_user_save", "user", "userNm",
    ),
    (
        "/api/insurances/",
        {"code": "INS01", "name": "Mfano Insurance", "rate": 20},
        {"name": "Mfano Assurance"},
        "branch_insurance_save", "insurance", "isrccNm",
    ),
]  # fmt: skip
FAULTS = [
    ("answer lost after storing", "lost_after", {}),
    ("answer lost before storing", "lost_before", {"hold_s": 0.1}),
    ("reset in the answer", "reset", {}),
    ("gateway page after storing", "html", {"status": 504, "stored": True}),
    ("a code nobody knows", "result_code", {"code": "999"}),
    ("refused connection", "refuse", {}),
]
each_save = pytest.mark.parametrize(
    ("path", "body", "edit", "endpoint", "group", "field"), SAVES, ids=[s[4] for s in SAVES]
)


def held(shop, group):
    return shop.simulator.ledger(shop.pin)["saved"].get(group, [])


@each_save
def test_it_registers_while_the_caller_waits(shop, path, body, edit, endpoint, group, field):
    response = shop.post(path, body, Prefer="wait=10")

    assert response.status_code == 201, response.content
    assert response.json()["state"] == "registered"
    assert response.json()["trouble"] is None
    assert [one[field] for one in held(shop, group)] == [body["name"]]


@pytest.mark.parametrize(("_case", "fault", "options"), FAULTS)
@each_save
def test_it_ends_registered_whatever_happens_on_the_way(
    shop, path, body, edit, endpoint, group, field, _case, fault, options
):
    shop.simulator.fault(fault, endpoint=endpoint, **options)
    made = shop.post(path, body).json()
    assert made["state"] == "queued"

    shop.deliver()

    assert shop.get(f"{path}{made['id']}/").json()["state"] == "registered"
    assert [one[field] for one in held(shop, group)] == [body["name"]]
    assert not Transmission.objects.open().exists()


@each_save
def test_edits_arrive_in_order_and_a_repeat_is_silent(
    shop, path, body, edit, endpoint, group, field
):
    made = shop.post(path, body).json()
    shop.simulator.fault("lost_after", endpoint=endpoint)
    shop.deliver(until_empty=False)
    shop.post(path, body | edit)
    shop.deliver()
    sent = Call.objects.filter(endpoint=endpoint).count()

    again = shop.post(path, body | edit)
    shop.deliver()

    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    assert Call.objects.filter(endpoint=endpoint).count() == sent
    assert [one[field] for one in held(shop, group)] == [edit["name"]]
    (listed,) = shop.get(f"{path}?state=registered").json()["results"]
    assert listed["name"] == edit["name"]


@each_save
def test_a_refusal_says_what_to_do_and_is_sent_again(
    shop, path, body, edit, endpoint, group, field
):
    shop.simulator.fault("result_code", endpoint=endpoint, code="910")
    made = shop.post(path, body, Prefer="wait=10").json()
    assert made["state"] == "refused"
    assert made["trouble"]["code"] == "910"
    assert "/retry/" in made["trouble"]["help"]

    again = shop.post(f"{path}{made['id']}/retry/", {}, Prefer="wait=10")

    assert again.json()["state"] == "registered", again.content
    late = shop.post(f"{path}{made['id']}/retry/", {})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "record_not_retryable")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("customers", {"number": "C-1"}, "pin"),
        ("customers", {"number": "C-1", "pin": "P0", "name": "x"}, "pin"),
        ("customers", {"number": "C-1 2", "pin": "P000000000B", "name": "x"}, "number"),
        ("customers", {"number": "1234567890", "pin": "P000000000B", "name": "x"}, "number"),
        ("customers", {"number": "C-1", "pin": "P000000000B", "name": "  "}, "name"),
        ("customers", {"number": "C-1", "pin": "P000000000B", "name": "x" * 61}, "name"),
        ("customers", {"number": "C-1", "pin": "P000000000B", "name": "x", "email": "@"}, "email"),
        ("customers", {"number": "C-1", "pin": None, "name": "x"}, "pin"),
        ("branch-users", {"user_id": "asha"}, "name"),
        ("branch-users", {"user_id": "asha", "name": "x", "password": ""}, "password"),
        ("insurances", {"code": "I", "name": "x"}, "rate"),
        ("insurances", {"code": "I", "name": "x", "rate": 101}, "rate"),
        ("insurances", {"code": "I", "name": "x", "rate": 2.5}, "rate"),
        ("insurances", {"code": "I", "name": "x", "rate": -1}, "rate"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(till, path, body, field):
    response = till.post(f"/api/{path}/", body)

    assert response.status_code == 400
    detail = response.json()["error"]["detail"][0]
    assert detail["field"] == field
    assert detail["reason"]
    assert detail["next_step"]
    assert till.get(f"/api/{path}/").json()["results"] == []
    assert not Transmission.objects.exists()


@each_save
def test_a_till_of_another_branch_sees_none(till, path, body, edit, endpoint, group, field):
    made = till.post(path, body).json()
    branch = Branch.objects.create(company=till.company, code="01", name="Thika")
    other = offline.add_device(till.company, "dvc-2")
    Device.objects.filter(pk=other.pk).update(branch=branch)
    scopes = ["sales:read", "sales:write", "company:write"]
    _, secret = ApiToken.issue(name="t", scopes=scopes, company=till.company, device=other)
    stranger = replace(till, secret=secret)

    assert stranger.get(path).json()["results"] == []
    assert stranger.get(f"{path}{made['id']}/").status_code == 404
    assert stranger.post(f"{path}{made['id']}/retry/", {}).status_code == 404
    assert stranger.post(path, body).json()["branch"] == "01"
    assert till.get(f"{path}{made['id']}/").json()["branch"] == "00"


def test_a_password_is_shown_nowhere(shop):
    body = {"user_id": "asha", "name": "Asha", "password": "opens-Nothing"}
    made = shop.post("/api/branch-users/", body, Prefer="wait=10")

    call = Call.objects.get(endpoint="branch_user_save")
    pages = [
        made,
        *map(shop.get, ("/api/branch-users/", f"/api/branch-users/{made.json()['id']}/")),
        *map(shop.get, ("/api/logs/", f"/api/logs/{call.pk}/")),
    ]

    assert [page.status_code for page in pages] == [201, 200, 200, 200, 200]
    assert all(b"opens-Nothing" not in page.content for page in pages)
    assert b"***" in pages[-1].content


def test_a_customer_names_the_buyer_of_a_sale(shop):
    buyer = {"number": "C-1", "pin": "P000000000B", "name": "Jamii Hardware Ltd"}
    shop.post("/api/customers/", buyer)
    shop.sell("T-1", customer={"pin": "P000000000B"})

    shop.deliver()

    (invoice,) = shop.ledger()
    assert (invoice["buyer_pin"], invoice["buyer_name"]) == ("P000000000B", "Jamii Hardware Ltd")


def test_it_copies_kras_branches_and_marks_the_phantom(shop):
    shop.simulator.approve(shop.pin, "01", "dvc-01")

    response = shop.post("/api/branches/sync/", {})

    assert response.status_code == 200, response.content
    verdicts = {one["code"]: one["verdict"] for one in response.json()["results"]}
    assert verdicts == {"00": "updated", "01": "created", "98": "created"}
    branches = {one["code"]: one for one in shop.get("/api/branches/").json()["results"]}
    assert {code: one["is_open"] for code, one in branches.items()} == {
        "00": True, "01": True, "98": False,
    }  # fmt: skip
    # What was typed here stays; KRA's word stands beside it.
    assert (branches["00"]["name"], branches["00"]["kra_name"]) == ("Head office", "Headquarter")
    again = shop.post("/api/branches/sync/", {}).json()["results"]
    assert {one["verdict"] for one in again} == {"unchanged"}


def test_a_lost_branch_list_changes_nothing(shop):
    shop.simulator.fault("lost_after", endpoint="branch_list")
    before = list(Branch.objects.values())

    response = shop.post("/api/branches/sync/", {})

    assert response.status_code == 502
    assert list(Branch.objects.values()) == before


def test_it_looks_a_buyer_up(shop):
    path = "/api/customers/lookup/?pin="

    assert shop.get(f"{path}P000000000B").json()["name"] == "Jamii Hardware Ltd"
    assert shop.get(f"{path}P999999999Z").json()["error"]["code"] == "pin_unknown"
    shop.simulator.outage(True)
    assert shop.get(f"{path}P000000000B").json()["is_stale"] is False
    silent = shop.get(f"{path}P000000000S")
    assert (silent.status_code, silent.json()["error"]["code"]) == (503, "kra_unavailable")
