"""Each method of each address names the scope it needs; what is not named is refused."""

import pytest

from companies.models import COMPANY_SCOPES, Company, Scope

pytestmark = pytest.mark.django_db

NEEDED = [
    ("POST", "/api/company/onboard/", set()),
    ("GET", "/api/companies/", {"company:write", "sales:read", "reports:read"}),
    ("GET", "/api/branches/", {"company:write", "sales:read"}),
    ("POST", "/api/branches/", {"company:write"}),
    ("GET", "/api/tokens/", {"company:write"}),
    ("POST", "/api/tokens/", {"company:write"}),
    ("DELETE", "/api/tokens/0/", {"company:write"}),
    ("GET", "/api/members/", {"company:write"}),
    ("POST", "/api/members/", {"company:write"}),
]


@pytest.mark.parametrize(("method", "path", "accepted"), NEEDED)
def test_it_lets_in_who_holds_the_scope(api, alpha, method, path, accepted):
    statuses = {
        scope: api(alpha, scopes=[scope]).generic(method, path).status_code
        for scope in COMPANY_SCOPES
    }

    assert {scope for scope, status in statuses.items() if status != 403} == accepted


@pytest.mark.parametrize(("method", "path", "_accepted"), NEEDED)
def test_the_operator_may_do_everything(api, method, path, _accepted):
    assert api().generic(method, path).status_code != 403


def test_it_says_which_scope_is_missing(api, alpha):
    response = api(alpha, scopes=["sales:write"]).get("/api/branches/")

    error = response.json()["error"]
    assert error["code"] == "permission_denied"
    assert error["message"].endswith("needs: company:write or sales:read.")
    assert "scope" in error["help"]


def test_head_needs_the_scope_of_get(api, alpha):
    assert api(alpha).head("/api/branches/").status_code == 200
    assert api(alpha, scopes=["sales:write"]).head("/api/branches/").status_code == 403


def test_a_method_that_does_not_exist_is_called_so(api, alpha):
    response = api(alpha).put("/api/branches/")

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/api/branches/", "/api/companies/", "/api/company/onboard/"])
def test_it_answers_options_without_falling_over(api, alpha, path):
    assert api(alpha).options(path).status_code < 500


def test_a_company_with_the_operators_scope_sees_only_itself(api, alpha, beta):
    client = api(alpha, scopes=[Scope.PLATFORM.value])

    response = client.get("/api/companies/")

    assert [row["pin"] for row in response.json()["results"]] == [alpha.pin]
    assert Company.objects.count() == 2
