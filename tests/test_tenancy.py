"""Every door of the API with every wrong key: nothing opens, nothing changes, nothing leaks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from companies.authentication import TokenAuthentication
from companies.models import COMPANY_SCOPES, ApiToken, Company, Scope
from sales.models import Invoice
from sales.tests import shop as offline

from .doors import DOORS, WORD, knock
from .refusals import error_of, rows_of, snapshot

pytestmark = pytest.mark.django_db

LOCKED = [name for name, door in DOORS.items() if door.behind != "everybody"]
COMPANYS = [name for name in LOCKED if DOORS[name].behind != "operator"]
BY_DEVICE = [name for name in COMPANYS if DOORS[name].by_device]
# The documentation, the buyer's page and the admin's own pages have other tests.
PAGES = {"/r/{token}/", "/r/{token}/qr.svg", "/r/{token}/qr.png"}
PEOPLE = {f"/dashboard/{name}" for name in ("", "fragment/", "login/", "logout/")}
METRICS = {"/metrics", "/metrics/"}
ELSEWHERE = {"/api/schema/", "/api/docs/", "/admin/", *PAGES, *PEOPLE, *METRICS}


@pytest.fixture(scope="module")
def furnished(alphaville):
    return alphaville(environment="sandbox")


@pytest.fixture
def alpha(furnished, db, offline_kra):
    return furnished.again()


@pytest.fixture
def beta(open_till):
    return open_till("B000000002B", "dvc-b1", name="Betatown Stores")


def addresses(resolver: Any, prefix: str = "/") -> Iterator[str]:
    """All paths that are routed, written as the OpenAPI document writes them."""
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver) and path != "/admin/":
            yield from addresses(entry, path)
        elif isinstance(entry, URLPattern | URLResolver):
            for name in ("pk", "serial", "sku", "class_id", "token", "number", "suffix"):
                for kind in ("int", "str", "path"):
                    path = path.replace(f"<{kind}:{name}>", f"{{{name}}}".replace("pk", "id"))
            yield path


def test_it_knows_every_door():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    documented = {
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method in methods
        if method != "parameters"
    }

    assert documented == set(DOORS)
    routed = set(addresses(get_resolver())) - ELSEWHERE
    assert routed == {name.split()[1] for name in DOORS}


def issue(company, scopes=COMPANY_SCOPES, **changes):
    token, secret = ApiToken.issue(name="key", scopes=scopes, company=company)
    ApiToken.objects.filter(pk=token.pk).update(**changes)
    return secret


@pytest.mark.parametrize(
    ("name", "scope"),
    [(name, scope) for name, door in DOORS.items() for scope in door.scopes or (None,)],
)
def test_it_opens_to_each_of_its_scopes(alpha, name, scope):
    door = DOORS[name]
    company = None if door.behind == "operator" else alpha.shop.company
    secret = issue(company, [scope.value]) if scope else None

    response = knock(name, alpha.path(name), secret)

    assert response.status_code == door.status, response.content


@pytest.mark.parametrize("name", sorted(DOORS))
def test_it_takes_no_misspelt_parameter_for_none(alpha, name):
    scopes = DOORS[name].scopes or COMPANY_SCOPES
    operators = Scope.PLATFORM in scopes
    secret = issue(None if operators else alpha.shop.company, scopes[:1])
    path = alpha.path(name)

    response = knock(name, f"{path}{'&' if '?' in path else '?'}refrence=SALE-1", secret)

    assert response.status_code == 400, response.content
    (problem,) = response.json()["error"]["detail"]
    assert (problem["field"], problem["reason"]) == ("refrence", "This parameter is unknown.")


def test_it_knows_every_parameter_that_is_documented(alpha):
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    parameters = [
        (f"{method.upper()} {path}", one["name"])
        for path, methods in paths.items()
        for method, said in methods.items()
        for one in said.get("parameters", ())
        if one["in"] == "query"
    ]
    operator = issue(None, [Scope.PLATFORM])

    for name, parameter in parameters:
        path = alpha.path(name)
        response = knock(name, f"{path}{'&' if '?' in path else '?'}{parameter}=1", operator)
        said = b"".join(response) if response.streaming else response.content
        assert b"This parameter is unknown" not in said, (name, parameter)
    assert len(parameters) > 100


def dead_key(company, kind):
    past = timezone.now() - timedelta(seconds=1)
    keys = {
        "none": lambda: None,
        "unknown": lambda: "etims_unknown",
        "empty": lambda: "",
        "with a space": lambda: issue(company).replace("_", " "),
        "cut": lambda: issue(company)[:-1],
        "revoked": lambda: issue(company, revoked_at=past),
        "expired": lambda: issue(company, expires_at=past),
    }
    return keys[kind]()


@pytest.mark.parametrize(
    "kind", ["none", "unknown", "empty", "with a space", "cut", "revoked", "expired"]
)
def test_it_asks_for_a_token_that_lives(alpha, kind):
    secret = dead_key(alpha.shop.company, kind)
    before = snapshot()

    for name in LOCKED:
        response = knock(name, alpha.path(name), secret)
        assert response.status_code == 401, name
        assert response["WWW-Authenticate"] == "Token"
        error_of(response)
        assert WORD not in response.content.decode().lower()
    assert snapshot() == before


def test_it_asks_for_a_company_that_is_switched_on(alpha):
    Company.objects.filter(pk=alpha.shop.company.pk).update(is_active=False)
    TokenAuthentication.cache.clear()
    before = snapshot()

    for name in COMPANYS:
        response = knock(name, alpha.path(name), alpha.shop.secret)
        assert response.status_code == 401, name
    assert snapshot() == before


def test_it_asks_for_the_scope(alpha):
    before = snapshot()

    for name in LOCKED:
        held = [scope for scope in COMPANY_SCOPES if scope not in DOORS[name].scopes]
        _, secret = ApiToken.issue(name="key", scopes=held, company=alpha.shop.company)
        response = knock(name, alpha.path(name), secret)
        assert response.status_code == 403, name
        assert error_of(response)["code"] == "permission_denied"
    ApiToken.objects.filter(name="key").delete()
    assert snapshot() == before


def is_alphas(row, company):
    return row.get("company_id") == company.pk or WORD in repr(row).lower()


def assert_untouched(before, company):
    """Alpha's rows are as they were, and no new row is alpha's."""
    for model in apps.get_models():
        rows = rows_of(model) if model._meta.label in before else []
        mine = [row for row in rows if is_alphas(row, company)]
        known = before.get(model._meta.label, [])
        assert mine == [row for row in known if is_alphas(row, company)], model._meta.label
        if model._meta.label not in ("outbox.Breaker", "items.ItemCounter"):
            assert [row for row in known if row not in rows] == [], model._meta.label


def assert_sees_nothing(response, company):
    text = response.content.decode().lower()
    assert WORD not in text
    assert company.pin.lower() not in text


@pytest.mark.parametrize("name", COMPANYS)
def test_it_keeps_another_company_out(alpha, beta, name):
    company = alpha.shop.company
    before = snapshot()

    response = knock(name, alpha.path(name), beta.secret)

    assert_sees_nothing(response, company)
    assert_untouched(before, company)
    if DOORS[name].behind == "object":
        assert response.status_code == 404
        assert error_of(response)["code"] in ("not_found", "unknown_item")
    else:
        assert response.status_code != 500


@pytest.mark.parametrize(
    "name",
    [
        "POST /api/tokens/",
        "POST /api/device/init/",
        "POST /api/device/{serial}/import-key/",
        "POST /api/item/sync/",
        "POST /api/stock/",
        "POST /api/stock/transfers/",
        "POST /api/stock/reconcile/",
    ],
)
def test_it_lets_nobody_but_the_operator_name_a_company(alpha, beta, name):
    body = DOORS[name].body | {"company": alpha.shop.pin}
    before = snapshot()

    response = knock(name, alpha.path(name), beta.secret, body)

    assert_sees_nothing(response, alpha.shop.company)
    assert_untouched(before, alpha.shop.company)


@pytest.mark.parametrize("name", BY_DEVICE)
def test_it_keeps_a_till_to_its_own_device(alpha, name):
    company = alpha.shop.company
    other = offline.add_device(company, "dvc-a2")
    _, secret = ApiToken.issue(name="key", scopes=COMPANY_SCOPES, company=company, device=other)
    before = snapshot()

    response = knock(name, alpha.path(name), secret)

    assert_sees_nothing(response, company)
    assert snapshot() == before
    if DOORS[name].behind == "object":
        assert response.status_code == 404


def test_a_till_makes_no_token_for_more_than_itself(alpha):
    company = alpha.shop.company
    other = offline.add_device(company, "dvc-a2")
    _, secret = ApiToken.issue(name="key", scopes=["company:write"], company=company, device=other)

    for device in ("", "dvc-a1"):
        body = {"name": "wider", "scopes": ["sales:write"], "device": device}
        response = knock("POST /api/tokens/", "/api/tokens/", secret, body)
        assert response.status_code in (403, 404)
    assert not ApiToken.objects.filter(name="wider").exists()


def test_a_till_gets_no_answer_to_what_another_sold(alpha):
    """Both count from 1 and sell the same: neither is told that the other's sale is its own."""
    company = alpha.shop.company
    devices = [alpha.shop.device, offline.add_device(company, "dvc-a2")]
    keys = [
        ApiToken.issue(name="k", scopes=["sales:write"], company=company, device=device)[1]
        for device in devices
    ]
    body = {"reference": "000001", "lines": [{"item": "A-ONLY", "quantity": "1"}]}

    first, second = (knock("POST /api/sales/", "/api/sales/", key, body) for key in keys)

    assert first.status_code == 202
    assert (second.status_code, error_of(second)["code"]) == (409, "reference_reused")
    assert Invoice.objects.filter(reference="000001").count() == 1


def test_no_company_token_can_become_the_operators(alpha):
    body = {"name": "root", "scopes": [Scope.PLATFORM.value]}

    response = knock("POST /api/tokens/", "/api/tokens/", alpha.shop.secret, body)

    assert error_of(response)["detail"][0]["field"] == "scopes"
    assert not ApiToken.objects.filter(name="root").exists()


def test_the_operator_names_the_company_when_a_serial_is_not_enough(open_till):
    """Serials are unique in a company only: the wrong shop could be stopped."""
    shops = [open_till("D000000004D", "dvc-1"), open_till("E000000005E", "dvc-1")]
    operator = ApiToken.issue(name="operator", scopes=["platform:admin"])[1]
    name = "POST /api/device/{serial}/suspend/"

    response = knock(name, "/api/device/dvc-1/suspend/", operator)

    assert response.status_code in (400, 409)
    for shop in shops:
        shop.device.refresh_from_db()
        assert shop.device.state == "active"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_it_knows_no_other_methods(alpha, method):
    paths = {alpha.path(name) for name in LOCKED}
    before = snapshot()

    for path in paths - {alpha.path(n) for n in LOCKED if n.startswith(f"{method} ")}:
        headers = alpha.shop.headers()
        response = Client().generic(method, path, b"{}", "application/json", headers=headers)
        assert response.status_code == 405, path
    assert snapshot() == before
