"""KRA's list of branches: copied, marked, never a reason to delete."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from companies.models import Branch
from devices import tasks
from devices.branches.services import store_branches, sync_branches
from devices.models import Call
from devices.tests.fake_kra import said
from kra.errors import OutcomeUnknown, Unavailable
from kra.readers import read_branches

PATH = "/api/branches/sync/"


def row(code, **facts):
    base = {
        "tin": "A000000001A", "bhfId": code, "bhfNm": f"Branch {code}", "bhfSttsCd": "01",
        "prvncNm": "NAIROBI CITY", "dstrtNm": "WESTLANDS", "sctrNm": "WON",
        "locDesc": "Example Road", "mgrNm": "Asha", "mgrTelNo": "0700000000",
        "mgrEmail": "asha@example.test", "hqYn": "Y" if code == "00" else "N",
    }  # fmt: skip
    return base | facts


def listed(*rows):
    return said("000", data={"bhfList": list(rows)})


def verdicts(changes):
    return {change.code: change.verdict for change in changes}


def facts():
    return list(Branch.objects.order_by("pk").values())


def test_it_creates_updates_and_marks(device, alpha, kra):
    kra.script(listed(row("00", bhfNm="Headquarter"), row("98", bhfSttsCd="02")))

    changes = sync_branches(device)

    assert verdicts(changes) == {"00": "updated", "98": "created"}
    head, phantom = alpha.branches.order_by("code")
    assert (head.kra_name, head.is_head_office, head.is_open) == ("Headquarter", True, True)
    assert (phantom.name, phantom.kra_name) == ("Branch 98", "Branch 98")
    assert head.address == head.kra_address == "Example Road, WON, WESTLANDS, NAIROBI CITY"
    assert head.manager_name == "Asha"
    assert (head.manager_phone, head.manager_email) == ("0700000000", "asha@example.test")
    assert (phantom.is_open, phantom.is_head_office) == (False, False)
    assert kra.sent[0].members["lastReqDt"] == "20180101000000"


def test_a_repeat_changes_nothing(device, kra):
    kra.script(listed(row("00"), row("01")), listed(row("00"), row("01")))
    sync_branches(device)
    before = facts()

    changes = sync_branches(device)

    assert verdicts(changes) == {"00": "unchanged", "01": "unchanged"}
    assert facts() == before


def test_what_was_typed_here_stays_beside_kras_word(device, alpha, kra, api):
    alpha.branches.update(name="Baraka, Moi Avenue", address="Shop 4, Moi Avenue")
    kra.script(listed(row("00", bhfNm="Headquarter"), row("01", bhfNm="Thika")))

    sync_branches(device)

    head = api(alpha).get("/api/branches/?code=00").json()["results"][0]
    assert (head["name"], head["address"]) == ("Baraka, Moi Avenue", "Shop 4, Moi Avenue")
    assert head["kra_name"] == "Headquarter"
    assert head["kra_address"] == "Example Road, WON, WESTLANDS, NAIROBI CITY"


def test_what_came_from_kra_follows_kra(device, alpha, kra):
    named = listed(row("00"), row("01", bhfNm="Thika", locDesc="Road 1"))
    renamed = listed(row("00"), row("01", bhfNm="Thika Town", locDesc="Road 2"))
    kra.script(listed(row("00"), row("01", bhfNm=None)), named, renamed)
    names = []

    for _ in range(3):
        sync_branches(device)
        names.append(alpha.branches.get(code="01").name)

    assert names == ["Branch 01", "Thika", "Thika Town"]
    assert alpha.branches.get(code="01").address.startswith("Road 2")


def test_what_kra_does_not_list_stays(device, alpha, kra):
    Branch.objects.create(company=alpha, code="07", name="Thika")
    kra.script(listed(row("00")), said("001"))

    assert verdicts(sync_branches(device))["07"] == "unlisted"
    before = facts()
    assert verdicts(sync_branches(device)) == {"00": "unlisted", "07": "unlisted"}

    assert facts() == before
    assert alpha.branches.get(code="07").is_open


def test_an_empty_word_of_kras_wipes_nothing(device, alpha, kra):
    alpha.branches.update(name="Moi Avenue", address="Moi Avenue 1", is_open=False)
    blank = dict.fromkeys(("bhfNm", "locDesc", "sctrNm", "dstrtNm", "prvncNm", "bhfSttsCd"))
    kra.script(listed(row("00", **blank)))

    sync_branches(device)

    head = alpha.branches.get()
    assert (head.name, head.address, head.is_open) == ("Moi Avenue", "Moi Avenue 1", False)


@pytest.mark.parametrize(
    ("_case", "odd", "field"),
    [
        ("another's", {"tin": "B000000002B"}, "pin"),
        ("no code", {"bhfId": None}, "code"),
        ("a long code", {"bhfId": "100"}, "code"),
        ("a code in another script", {"bhfId": "\u0661\u0662"}, "code"),
    ],
)
def test_it_skips_what_cannot_be_a_branch(device, alpha, kra, _case, odd, field):
    kra.script(listed(row("00"), row("01") | odd, row("02")))

    changes = sync_branches(device)

    (skipped,) = [change for change in changes if change.verdict == "skipped"]
    assert skipped.problems[0].field == field
    assert sorted(alpha.branches.values_list("code", flat=True)) == ["00", "02"]


def test_the_head_office_moves_with_kra(device, alpha, kra):
    kra.script(listed(row("00", hqYn="N"), row("01", hqYn="Y")))

    sync_branches(device)

    heads = alpha.branches.filter(is_head_office=True)
    assert [branch.code for branch in heads] == ["01"]


@pytest.mark.parametrize("flags", [("N", "N"), ("Y", "Y"), ("", "")])
def test_the_head_office_stays_when_kra_is_of_two_minds(device, alpha, kra, flags):
    kra.script(listed(row("00", hqYn=flags[0]), row("01", hqYn=flags[1])))

    sync_branches(device)

    assert alpha.branches.get(is_head_office=True).code == "00"


@pytest.mark.parametrize("error", [Unavailable("connect_timeout"), OutcomeUnknown("read_timeout")])
def test_while_kra_is_silent_nothing_changes(api, device, alpha, kra, error):
    before = facts()
    kra.script(error)

    response = api(alpha).post(PATH, {}, format="json")

    assert response.status_code == 502
    assert response.json()["error"]["code"] == "kra_unavailable"
    assert "Nothing was changed" in response.json()["error"]["help"]
    assert facts() == before


def test_it_answers_a_verdict_per_branch(api, device, alpha, kra):
    kra.script(listed(row("00"), row("98", bhfSttsCd="02")))

    response = api(alpha).post(PATH, {"device": device.serial}, format="json")

    assert response.status_code == 200, response.content
    results = {one["code"]: one for one in response.json()["results"]}
    assert (results["98"]["verdict"], results["98"]["is_open"]) == ("created", False)
    shown = api(alpha).get("/api/branches/?code=98").json()["results"][0]
    assert (shown["is_open"], shown["manager_name"]) == (False, "Asha")


@pytest.mark.parametrize("state", ["suspended", "registered", "refused"])
def test_it_asks_only_through_an_active_device(api, alpha, add_device, kra, state):
    add_device(alpha, state=state)

    for body in ({}, {"device": "dvc1"}):
        response = api(alpha).post(PATH, body, format="json")
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "no_active_device"
    assert kra.sent == []


def test_it_asks_through_nobody_elses_device(api, device, beta, kra):
    response = api(beta).post(PATH, {"device": device.serial}, format="json")

    assert response.status_code == 404
    assert kra.sent == []


def test_the_day_goes_on_after_a_company_that_fails(open_company, add_device, kra):
    companies = [open_company(f"C00000000{n}C") for n in range(3)]
    for company in companies:
        add_device(company)
    add_device(companies[0], "dvc2")
    mine = {"tin": companies[2].pin}
    kra.script(listed(), Unavailable("connect_timeout"), listed(row("01") | mine))

    tasks.sync_all_branches()

    assert [sent.endpoint for sent in kra.sent] == ["branch_list"] * 3
    assert companies[2].branches.filter(code="01").exists()
    assert Call.objects.filter(endpoint="branch_list").count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_syncs_at_once_make_each_branch_once(open_company):
    company = open_company("A000000001A")
    rows = read_branches({"bhfList": [row(f"{n:02}") for n in range(20)]})

    def sync(_):
        try:
            return verdicts(store_branches(company, rows))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(sync, range(4)))

    assert company.branches.count() == 20
    assert sum(list(one.values()).count("created") for one in results) == 19
