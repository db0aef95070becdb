"""Beta sees nothing of alpha's and changes nothing of it."""

from typing import Any

import pytest

from companies.models import ApiToken, Branch, Member
from companies.services import add_member

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/companies/", "/api/branches/", "/api/tokens/"])
def test_a_list_shows_only_ones_own(api, alpha, beta, path):
    rows = {
        company.pin: {row["id"] for row in api(company).get(path).json()["results"]}
        for company in (alpha, beta)
    }

    assert rows[alpha.pin]
    assert rows[beta.pin]
    assert not rows[alpha.pin] & rows[beta.pin]


def test_members_are_shown_to_their_company(api, alpha, beta):
    add_member(company=alpha, username="asha", role="owner")

    shown = api(alpha).get("/api/members/").json()["results"]

    assert [(row["username"], row["role"]) for row in shown] == [("asha", "owner")]
    assert api(beta).get("/api/members/").json()["results"] == []


@pytest.mark.parametrize("path", ["/api/companies/", "/api/branches/", "/api/tokens/"])
def test_the_operator_sees_all(api, alpha, beta, issue, path):
    issue(alpha), issue(beta)

    assert len(api().get(path).json()["results"]) >= 2


@pytest.mark.parametrize("query", ["?pin=A000000001A", "?environment=simulator"])
def test_a_filter_does_not_reach_across(api, alpha, beta, query):
    rows = api(beta).get(f"/api/companies/{query}").json()["results"]

    assert [row["pin"] for row in rows if row["pin"] != beta.pin] == []


def test_a_token_of_another_company_cannot_be_revoked(api, alpha, beta, issue):
    token, _ = issue(alpha)

    response = api(beta).delete(f"/api/tokens/{token.pk}/")

    assert response.status_code == 404
    token.refresh_from_db()
    assert token.state == "active"


def test_a_token_is_revoked_once(api, alpha, issue):
    token, _ = issue(alpha)
    client = api(alpha)

    assert client.delete(f"/api/tokens/{token.pk}/").status_code == 204
    token.refresh_from_db()
    first = token.revoked_at
    assert client.delete(f"/api/tokens/{token.pk}/").status_code == 204

    token.refresh_from_db()
    assert token.revoked_at == first is not None


WRITES: list[tuple[str, dict[str, object], Any]] = [
    ("/api/branches/", {"code": "07", "name": "Kisumu"}, Branch),
    ("/api/members/", {"username": "juma", "role": "auditor"}, Member),
    ("/api/tokens/", {"name": "till", "scopes": ["sales:write"]}, ApiToken),
]


@pytest.mark.parametrize(("path", "body", "model"), WRITES)
def test_a_write_lands_in_the_tokens_own_company(api, alpha, beta, path, body, model):
    before = model.objects.filter(company=alpha).count()

    response = api(beta).post(path, body, format="json")

    assert response.status_code == 201
    assert model.objects.filter(company=alpha).count() == before
    assert model.objects.latest("pk").company == beta


def test_a_company_cannot_name_another_one(api, alpha, beta):
    body = {"name": "till", "scopes": ["sales:write"], "company": alpha.pin}

    response = api(beta).post("/api/tokens/", body, format="json")

    assert response.status_code == 201
    assert ApiToken.objects.latest("pk").company == beta


@pytest.mark.parametrize(
    ("_case", "company", "status"),
    [("named", "A000000001A", 201), ("not named", "", 400), ("unknown", "C000000003C", 400)],
)
def test_the_operator_names_the_company_it_acts_for(api, alpha, _case, company, status):
    body = {"name": "till", "scopes": ["sales:write"], "company": company}

    response = api().post("/api/tokens/", body, format="json")

    assert response.status_code == status
    assert ApiToken.objects.filter(company=alpha).count() == (status == 201)


def test_a_secret_is_shown_once(api, alpha):
    client = api(alpha)

    made = client.post("/api/tokens/", WRITES[2][1], format="json").json()
    listed = client.get("/api/tokens/").json()["results"]

    assert made["token"].startswith(made["prefix"])
    assert [row["token"] for row in listed] == [None, None]


@pytest.mark.parametrize(
    ("_case", "more", "field"),
    [
        ("the operator's scope", {"scopes": ["platform:admin"]}, "scopes"),
        ("an unknown scope", {"scopes": ["sales:write", "all"]}, "scopes"),
        ("no scope", {"scopes": []}, "scopes"),
        ("the past", {"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ("a time without a zone", {"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
    ],
)
def test_it_refuses_a_token_that_could_not_work(api, alpha, _case, more, field):
    response = api(alpha).post("/api/tokens/", WRITES[2][1] | more, format="json")

    assert response.status_code == 400, response.content
    assert [p["field"] for p in response.json()["error"]["detail"]] == [field]


def test_it_refuses_a_token_for_an_unknown_device(api, alpha):
    body = WRITES[2][1] | {"device": "nowhere"}

    assert api(alpha).post("/api/tokens/", body, format="json").status_code == 404
