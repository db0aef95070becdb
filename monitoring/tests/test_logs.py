from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import ApiToken, Scope
from devices.models import Call

pytestmark = pytest.mark.django_db
FIELDS = {
    *("id", "device", "endpoint", "reference", "number", "attempt", "started_at", "finished_at"),
    *("elapsed_ms", "http_status", "outcome", "code", "reason", "explanation", "request_id"),
}


def ids(response):
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_it_lists_newest_first(get, alpha, make_call):
    first, second = make_call(alpha, reference="R1"), make_call(alpha, reference="R2", number=7)

    response = get("/api/logs/", alpha)

    assert ids(response) == [second.pk, first.pk]
    row = response.json()["results"][0]
    assert set(row) == FIELDS
    assert row["device"] == "alpha-1"
    assert row["number"] == 7
    assert row["outcome"] == "accepted"
    assert row["explanation"]["label"] == "Accepted"


def test_it_explains_a_refusal_and_not_an_open_call(get, alpha, make_call):
    make_call(alpha, outcome="", code="", finished_at=None, elapsed_ms=None, http_status=None)
    make_call(alpha, outcome="rejected", code="910", reason="itemNm is missing")

    refused, still_open = get("/api/logs/", alpha).json()["results"]

    assert refused["explanation"]["next_step"].startswith("Correct")
    assert refused["explanation"]["next_step_sw"]
    assert still_open["outcome"] == "open"
    assert still_open["explanation"] is None


def test_it_shows_one_exchange_with_its_texts(get, alpha, make_call):
    call = make_call(alpha, request='{"a": 1}', answer='{"b": 2}')

    response = get(f"/api/logs/{call.pk}/", alpha)

    assert response.status_code == 200
    assert set(response.json()) == FIELDS | {"request", "answer", "pruned_at"}
    assert response.json()["request"] == '{"a": 1}'
    assert response.json()["answer"] == '{"b": 2}'


def test_beta_sees_nothing_of_alphas(get, alpha, beta, make_call):
    call = make_call(alpha)

    assert ids(get("/api/logs/", beta)) == []
    assert ids(get("/api/logs/", beta, device="alpha-1")) == []
    response = get(f"/api/logs/{call.pk}/", beta)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert Call.objects.count() == 1


def test_a_bound_token_sees_its_device_only(get, alpha, open_device, make_call):
    other = open_device(alpha.company, "alpha-2")
    _, secret = ApiToken.issue(
        name="till", scopes=["logs:read"], company=alpha.company, device=other
    )
    hidden, shown = make_call(alpha), make_call(alpha, device=other)

    assert ids(get("/api/logs/", secret)) == [shown.pk]
    assert get(f"/api/logs/{hidden.pk}/", secret).status_code == 404


def test_the_operator_sees_all(get, alpha, beta, make_call):
    _, secret = ApiToken.issue(name="operator", scopes=[Scope.PLATFORM.value])
    calls = [make_call(alpha), make_call(beta)]

    assert ids(get("/api/logs/", secret)) == [call.pk for call in reversed(calls)]


@pytest.mark.parametrize("path", ["/api/logs/", "/api/logs/1/"])
def test_it_wants_the_scope(client, get, alpha, path):
    _, secret = ApiToken.issue(name="till", scopes=["sales:write"], company=alpha.company)

    assert client.get(path).status_code == 401
    assert get(path, secret).status_code == 403


WANTED = [
    ({"device": "alpha-1"}, {}),
    ({"endpoint": "item_save"}, {"endpoint": "item_save"}),
    ({"reference": "R9"}, {"reference": "R9"}),
    ({"number": "9"}, {"number": 9}),
    ({"code": "910"}, {"code": "910"}),
    ({"outcome": "unknown"}, {"outcome": "unknown"}),
    ({"outcome": "open"}, {"outcome": ""}),
    ({"status": "502"}, {"http_status": 502}),
    ({"min_ms": "900"}, {"elapsed_ms": 900}),
    ({"request_id": "abc"}, {"request_id": "abc"}),
    ({"search": "qty MISSING"}, {"reason": "Missing value: qty"}),
    ({"search": "sdcId"}, {"answer": '{"sdcid": "KRACU01"}'}),
    ({"search": "till1"}, {"reference": "TILL1-000123"}),
]


@pytest.mark.parametrize(("query", "fields"), WANTED)
def test_it_filters(get, alpha, open_device, make_call, query, fields):
    make_call(alpha, device=open_device(alpha.company, "alpha-2"))
    wanted = make_call(alpha, **fields)

    assert ids(get("/api/logs/", alpha, **query)) == [wanted.pk]


def test_it_filters_by_time(get, alpha, make_call):
    now = timezone.now()
    old, new = make_call(alpha, started_at=now - timedelta(hours=2)), make_call(alpha)
    border = (now - timedelta(hours=1)).isoformat()

    assert ids(get("/api/logs/", alpha, started_from=border)) == [new.pk]
    assert ids(get("/api/logs/", alpha, started_to=border)) == [old.pk]


@pytest.mark.parametrize("query", [{"outcome": "fine"}, {"started_from": "noon"}, {"status": "x"}])
def test_it_refuses_a_filter_that_makes_no_sense(get, alpha, query):
    response = get("/api/logs/", alpha, **query)

    assert response.status_code == 400
    assert response.json()["error"]["detail"][0]["field"] == next(iter(query))


def test_it_pages_without_gaps(get, alpha, make_call):
    calls = [make_call(alpha) for _ in range(5)]

    first = get("/api/logs/", alpha, limit=3)
    second = get(first.json()["next"], alpha)

    assert ids(first) + ids(second) == [call.pk for call in reversed(calls)]
    assert second.json()["next"] is None


@pytest.mark.parametrize("count", [5, 50])
def test_it_needs_one_query_however_many(get, alpha, make_call, django_assert_num_queries, count):
    for _ in range(count):
        make_call(alpha)
    get("/api/logs/", alpha)

    with django_assert_num_queries(1):
        response = get("/api/logs/", alpha)

    assert len(ids(response)) == count


def test_it_never_shows_a_secret(get, alpha, make_call):
    call = make_call(alpha)

    for path in ("/api/logs/", f"/api/logs/{call.pk}/"):
        text = get(path, alpha).content.decode()
        assert "never-shown" not in text
        assert alpha.secret not in text
