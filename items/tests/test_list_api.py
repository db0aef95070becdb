"""KRA's lists, rates and notices as the API shows them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from items import tasks
from items.models import Notice, SyncState
from items.services import approve_rate, sync_codes, sync_due

from .fake_kra import LOST, RATES, SILENCE, accepted, published, said, tree

pytestmark = pytest.mark.urls("items.tests.urls")


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def pull(kra, till):
    def run(**rates):
        kra.replies["code_list"] = [published({**RATES, **rates})]
        kra.replies["item_class_list"] = [tree("1000000000")]
        sync_codes(till)

    return run


def notice(number, **more):
    facts = {"title": f"Notice {number}", "cont": "Text", "dtlUrl": "https://kra.test/1",
             "regrNm": "KRA", "regDt": "20261001080000"}  # fmt: skip
    return {"noticeNo": number} | facts | more


def test_it_lists_the_classes_and_the_age_of_the_lists(client, pull):
    pull()
    SyncState.objects.filter(name="item_class_list").update(
        synced_at=timezone.now() - timedelta(days=1)
    )

    body = client.get("/api/codes/").json()

    assert [(c["class_id"], c["word"], c["codes"]) for c in body["classes"]] == [
        ("04", "tax", 5),
        ("05", "countries", 2),
        ("10", "quantity_units", 3),
        ("17", "packaging_units", 3),
    ]
    assert [(one["name"], one["is_overdue"]) for one in body["lists"]] == [
        ("codes", False),
        ("classifications", True),
    ]
    assert 86_400 <= body["lists"][1]["age_seconds"] < 86_500


def test_it_searches_a_class_and_dates_it(client, pull):
    pull()

    found = client.get("/api/codes/quantity_units/?search=code+KG").json()

    assert [code["code"] for code in found["results"]] == ["KG"]
    dates = found["synced_at"], found["results"][0]["changed_at"]
    assert all(date.startswith(f"{timezone.now():%Y-%m-%d}") for date in dates)
    assert client.get("/api/codes/10/?search=nothing").json()["results"] == []
    assert client.get("/api/codes/zz/").status_code == 404


def test_it_uses_the_last_good_copy_while_kra_is_down(client, pull, kra):
    pull()
    before = client.get("/api/codes/tax/").json()
    SyncState.objects.update(synced_at=timezone.now() - timedelta(days=1))
    for name in ("code_list", "item_class_list", "notice_list"):
        kra.replies[name] = [SILENCE, LOST]

    tasks.sync_codes()

    after = client.get("/api/codes/tax/").json()
    assert after["results"] == before["results"]
    assert client.get("/api/classifications/").json()["results"] != []


def test_it_goes_on_with_the_list_it_broke_off_at(till, kra):
    kra.replies["code_list"] = [published()]
    kra.replies["item_class_list"] = [SILENCE]
    with pytest.raises(type(SILENCE)):
        sync_due(till)
    kra.sent.clear()

    assert list(sync_due(till)) == ["classifications", "notices"]
    assert [name for name, _ in kra.sent] == ["item_class_list", "notice_list"]
    assert sync_due(till) == {}


def test_it_asks_through_another_device_when_one_is_refused(alpha, device, kra):
    device(alpha, "alpha-2", branch="01")
    kra.replies["code_list"] = [said("901", "It is not valid device")]

    tasks.sync_codes()

    assert [body["bhfId"] for body in kra.bodies("code_list")][:2] == ["00", "01"]
    assert SyncState.objects.filter(name="code_list").exists()


def test_it_shows_a_held_rate_beside_the_one_in_use(client, pull):
    assert client.get("/api/tax-rates/").json()["results"][1]["current"] == "16.00"
    pull()
    pull(B="18")

    held = client.get("/api/tax-rates/").json()["results"][1]
    day = timezone.now().date() + timedelta(days=9)
    approve_rate(environment="simulator", letter="B", valid_from=day)
    coming = client.get("/api/tax-rates/").json()["results"][1]

    assert (held["letter"], held["current"], held["valid_from"]) == ("B", "16.00", "2018-01-01")
    assert held["pending"] == {"rate": "18.00", "valid_from": "2026-11-22"}
    assert (coming["current"], coming["pending"]) == ("16.00", None)
    assert coming["upcoming"] == {"rate": "18.00", "valid_from": day.isoformat()}


def test_it_keeps_each_notice_once(client, kra, till):
    odd = [notice(0), notice("x"), notice(2**70), notice(7, dtlUrl="javascript:alert(1)")]
    kra.replies["notice_list"] = [
        accepted({"noticeList": [notice(5), *odd]}),
        accepted({"noticeList": [notice(5, title="Corrected"), notice(6)]}),
    ]

    for _ in range(2):
        SyncState.objects.all().delete()
        sync_due(till)

    listed = client.get("/api/notices/").json()["results"]
    assert [(one["number"], one["title"]) for one in listed] == [
        (6, "Notice 6"),
        (7, "Notice 7"),
        (5, "Corrected"),
    ]
    assert [one["url"] for one in listed] == ["https://kra.test/1", "", "https://kra.test/1"]
    assert listed[0]["published_at"].startswith("2026-10-01")
    assert Notice.objects.count() == 3


def test_it_finds_classifications_by_words_in_any_order(client, pull):
    pull()

    assert len(client.get("/api/classifications/?search=goods").json()["results"]) == 1
    assert client.get("/api/classifications/?search=goods+other").json()["results"] == []
