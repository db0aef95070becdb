"""Import lines over HTTP."""

import pytest

from items.models import ImportLine
from outbox.models import Transmission

from .fake_kra import SILENCE, said
from .test_imports import declared, listed

pytestmark = [pytest.mark.urls("items.tests.urls"), pytest.mark.django_db]


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def line(client, kra):
    kra.replies["import_list"] = [listed(declared())]
    answer = client.post("/api/imports/sync/", {}, format="json")
    assert answer.json()["branches"][0]["new"] == 1
    return ImportLine.objects.get()


def test_it_lists_and_filters(client, line):
    def found(query):
        return len(client.get(f"/api/imports/?{query}").json()["results"])

    assert found("state=offered&branch=00&matched=false&hs_code=8516&supplier=exporter") == 1
    assert [found(q) for q in ("state=approved", "matched=true", "task_code=X")] == [0, 0, 0]
    assert client.get("/api/imports/?state=nonsense").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_waiting_caller_hears_what_became_of_it(client, line, registered, kra):
    registered("KETTLE")
    kra.replies["import_update"] = [said("910", "Request parameter error")]
    path = f"/api/imports/{line.pk}/approve/"

    first = client.post(path, {"item": "KETTLE"}, format="json", headers={"Prefer": "wait=5"})

    assert (first.status_code, first.json()["state"]) == (200, "refused")
    assert set(first.json()["trouble"]) == {"code", "message", "help"}
    second = client.post(path, {"item": "KETTLE"}, format="json")
    assert (second.status_code, second.json()["state"]) == (202, "queued")
    third = client.post(path, {"item": "KETTLE"}, format="json")
    assert (third.status_code, third["Idempotent-Replayed"]) == (200, "true")


def test_unmatched_is_a_conflict_that_names_the_field(client, line):
    for verb, body in (("approve", {}), ("reject", {"reason": "Not ours"})):
        answer = client.post(f"/api/imports/{line.pk}/{verb}/", body, format="json")

        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (409, "import_unmatched")
        assert error["detail"][0]["field"] == "item"
        assert error["detail"][0]["next_step"]
    assert not Transmission.objects.filter(kind="import_update").exists()


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 401}])
def test_a_rejection_needs_a_reason(client, line, body):
    answer = client.post(f"/api/imports/{line.pk}/reject/", body, format="json")

    assert answer.status_code == 400
    assert answer.json()["error"]["detail"][0]["field"] == "reason"


def test_a_silent_kra_is_a_502_and_loses_nothing(client, line, kra):
    kra.replies["import_list"] = [SILENCE]

    answer = client.post("/api/imports/sync/", {}, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "kra_unavailable")
    assert ImportLine.objects.count() == 1
