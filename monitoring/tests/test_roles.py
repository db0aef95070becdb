"""Every page of the admin × every role × every verb; and another company is never there."""

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model

from companies.models import ApiToken, Branding, Company, Member, Role
from devices.models import SigningKey
from monitoring.acts.catalogue import ACTS
from monitoring.admin.read_only import ReadOnlyAdmin, ScopedAdmin, company_id_of
from monitoring.models import AuditEvent

from .furniture import add_shared, furnish

pytestmark = pytest.mark.django_db

ROLES = [role.value for role in Role]
LEADERS, READERS = {"owner", "manager"}, {"owner", "manager", "auditor"}
PAGES = sorted(admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY = [page for page in PAGES if isinstance(admin.site._registry[page], ReadOnlyAdmin)]

# Written down a second time, on purpose: a slip in roles.py must be made twice to go unseen.
EVERYBODYS = {
    *("companies.Company", "companies.Branch", "sales.Invoice", "sales.Receipt", "sales.Customer"),
    *("items.Item", "items.StockLevel", "items.TaxRate", "items.Notice"),
}
OPERATORS = {"auth.User", "axes.AccessAttempt", "sales.PinRecord", "monitoring.PruneMark"}
SHARED = {"items.Code", "items.Classification", "items.SyncState", "outbox.Breaker"}
OWNERS_ACTS = {
    *("resync", "rotate_keys", "revoke"),
    *("add_member", "change_role", "remove_member"),
}
FOREIGN = "Beta Stores"


def seers(model):
    label = model._meta.label
    if label in OPERATORS:
        return set()
    return set(ROLES) if label in EVERYBODYS else READERS


@pytest.fixture
def world(alpha, beta, django_user_model, sell, make_call, owe):
    """Two companies with one of everything, and a person of each role in the first."""
    make = (sell, make_call, owe)
    add_shared()
    people = {}
    for role in ROLES:
        people[role] = django_user_model.objects.create(username=f"a-{role}", is_staff=True)
        Member.objects.create(company=alpha.company, user=people[role], role=role)
    stranger = django_user_model.objects.create(username="b-owner", is_staff=True)
    Member.objects.create(company=beta.company, user=stranger, role="owner")
    people["stranger"] = stranger
    people["nobody"] = django_user_model.objects.create(username="nobody", is_staff=True)
    furnish(alpha, people["owner"], make)
    furnish(beta, stranger, make)
    return people


def list_of(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def page_of(obj):
    return f"{list_of(type(obj))}{quote(obj.pk)}/change/"


def path_of(model):
    page = admin.site._registry[model]
    return page.path_to_company() if isinstance(page, ScopedAdmin) else ""


def rows_of(model, company):
    """A company's rows; all rows of a model that belongs to none."""
    path = path_of(model)
    rows = model._default_manager.order_by("pk")
    return list(rows.filter(**{path: company.pk}) if path else rows)


def secrets():
    return ["never-shown", *SigningKey.objects.values_list("private_key", flat=True),
            *ApiToken.objects.values_list("hash", flat=True)]  # fmt: skip


def test_every_page_is_walked():
    """A page that is not of our base class decides by itself who sees it; there is one."""
    odd = [model for model in PAGES if not isinstance(admin.site._registry[model], ScopedAdmin)]

    assert odd == [get_user_model()]
    assert set(PAGES) - set(READ_ONLY) == {get_user_model(), Branding}
    pages = [admin.site._registry[model] for model in PAGES]
    shared = {page.model._meta.label for page in pages if getattr(page, "is_shared", False)}
    assert shared == SHARED | {"items.TaxRate", "items.Notice"}


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_each_role_sees_its_pages_and_nothing_secret(world, client, alpha, role):
    client.force_login(world[role])

    for model in PAGES:
        allowed = role in seers(model)
        answer = client.get(list_of(model))
        assert answer.status_code == (200 if allowed else 403), model
        for obj in rows_of(model, alpha.company)[:2]:
            page = client.get(page_of(obj))
            assert page.status_code == (200 if allowed else 403), obj
            text = page.content.decode() + answer.content.decode()
            assert [secret for secret in secrets() if secret in text] == [], model


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_no_role_adds_changes_or_deletes(world, client, alpha, role):
    client.force_login(world[role])

    for model in READ_ONLY + [get_user_model()]:
        before = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
        obj = rows_of(model, alpha.company)[0]
        base = page_of(obj).removesuffix("change/")
        assert client.get(f"{list_of(model)}add/").status_code == 403, model
        assert client.post(f"{list_of(model)}add/", {}).status_code == 403, model
        assert client.post(f"{base}change/", {}).status_code == 403, model
        assert client.post(f"{base}delete/", {"post": "yes"}).status_code in (403, 404), model
        assert list(model._default_manager.order_by("pk").values_list("pk", flat=True)) == before


def addresses(obj):
    base = page_of(obj).removesuffix("change/")
    acts = [f"{base}act/{act.name}/" for act in ACTS.get(obj._meta.label, ())]
    return [f"{base}change/", f"{base}history/", f"{base}delete/", *acts]


@pytest.mark.parametrize("role", ["owner", "auditor"])
def test_another_company_is_not_there(world, client, beta, role):
    client.force_login(world[role])
    owned = [model for model in PAGES if path_of(model) and model is not Company]
    assert len(owned) > 25

    for model in [*owned, Company]:
        theirs = rows_of(model, beta.company)
        assert theirs, model
        listed = client.get(list_of(model))
        keys = {obj.pk for obj in listed.context["cl"].queryset}
        assert not keys & {obj.pk for obj in theirs}, model
        assert FOREIGN not in listed.content.decode(), model
        for address in addresses(theirs[0]):
            assert client.get(address).status_code in (403, 404), address
            assert client.get(address).status_code == 404 or "delete" in address, address
            assert client.post(address, {"reason": "let me in"}).status_code in (403, 404), address
    assert AuditEvent.objects.exclude(reason="stolen").count() == 0


def test_filters_and_searches_stay_inside(world, client, alpha, beta):
    client.force_login(world["owner"])

    for model in PAGES:
        if not path_of(model):
            continue
        for query in ({"company": beta.company.pk}, {"q": beta.company.pin}, {"q": "beta"}):
            answer = client.get(list_of(model), query)
            assert answer.status_code in (200, 302), (model, query)
            if answer.status_code == 200:
                found = answer.context["cl"].queryset
                mine = {company_id_of(obj, path_of(model)) for obj in found}
                assert mine <= {alpha.company.pk}, (model, query)


@pytest.mark.parametrize(
    "query",
    [
        {"consumer_secret__startswith": "g"},
        {"hash__startswith": "0"},
        {"key__startswith": "g"},
        {"company__consumer_key__startswith": "g"},
        {"init_answer__isnull": "0"},
    ],
)
def test_no_filter_asks_about_a_secret(world, client, query):
    client.force_login(get_user_model().objects.create(username="op", is_staff=True,
                                                       is_superuser=True))  # fmt: skip

    for model in ("companies/company", "companies/apitoken", "devices/device", "devices/call"):
        answer = client.get(f"/admin/{model}/", query)
        # Refused, or sent back to the list without it.
        assert answer.status_code in (302, 400), (model, query)


def test_two_companies_two_roles(world, client, alpha, beta):
    """Owner here and cashier there: of the other company he sees what a cashier sees."""
    Member.objects.create(company=beta.company, user=world["owner"], role="cashier")
    client.force_login(world["owner"])

    invoices = client.get("/admin/sales/invoice/")
    devices = client.get("/admin/devices/device/")

    assert {row.company_id for row in invoices.context["cl"].queryset} == {
        alpha.company.pk,
        beta.company.pk,
    }
    assert {row.company_id for row in devices.context["cl"].queryset} == {alpha.company.pk}
    assert FOREIGN in invoices.content.decode()
    assert client.get(page_of(beta.device)).status_code == 404


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_each_role_does_what_it_may(world, client, alpha, role):
    client.force_login(world[role])

    for label, acts in ACTS.items():
        model = next(model for model in PAGES if model._meta.label == label)
        obj = rows_of(model, alpha.company)[0]
        for act in acts:
            allowed = {"owner"} if act.name in OWNERS_ACTS else LEADERS
            answer = client.get(f"{page_of(obj).removesuffix('change/')}act/{act.name}/")
            if role in allowed:
                # 302: not in this state of the thing.
                assert answer.status_code in (200, 302), (label, act.name)
            else:
                assert answer.status_code in (403, 404), (label, act.name)


def test_the_buttons_are_those_of_the_role(world, client, alpha):
    pages = {}
    for role in ROLES:
        client.force_login(world[role])
        pages[role] = client.get(page_of(alpha.device)).content.decode()

    assert "New signing key" in pages["owner"]
    assert "Suspend" in pages["manager"]
    assert "New signing key" not in pages["manager"]
    for role in ("auditor", "cashier"):
        assert "act/suspend" not in pages[role]


def test_autocomplete_gives_nothing_away(world, client):
    client.force_login(world["owner"])
    query = {"app_label": "sales", "model_name": "invoice", "field_name": "company", "term": "Beta"}

    assert client.get("/admin/autocomplete/", query).json()["results"] == []
    assert FOREIGN not in client.get("/admin/search/", {"s": "Beta"}).content.decode()
