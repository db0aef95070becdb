"""What a stranger, a neighbour or a hostile name tries on people's pages and on files."""

import csv
import io
import json
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from companies.models import Company, Member
from items.models import Item
from monitoring.models import ActionRequest

pytestmark = pytest.mark.django_db

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
FORMULA = '=cmd|"/c calc"!A1'
BREAK = 'a"\r\nSet-Cookie: x=1\r\n\r\n<b>'


@pytest.fixture
def operator(client):
    user = get_user_model().objects.create(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


@pytest.fixture
def evil(open_till):
    """A shop in which every name is hostile, with a sale."""
    till = open_till("A000000001A", "dvc-a1", name="Alpha")
    Company.objects.update(name=EVIL, trade_name=EVIL, registered_name=EVIL)
    Item.objects.update(name=EVIL[:60])
    body = {
        "device": "dvc-a1",
        "reference": "S-<b>1</b>",
        "lines": [{"item": "KETTLE", "quantity": "1"}],
        "customer": {"name": EVIL[:60]},
    }
    answer = till.post("/api/sales/", body)
    assert answer.status_code == 202, answer.content
    return till, answer.json()


# --- Names that are markup ---


def test_no_name_becomes_markup_on_any_page(evil, operator):
    from django.contrib import admin

    till, sale = evil
    pages = ["/dashboard/", "/admin/", "/admin/search/?s=script"]
    for model in admin.site._registry:
        at = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        rows = model._default_manager.order_by("-pk")[:2]
        pages += [at, f"{at}?q=script", *[f"{at}{row.pk}/change/" for row in rows]]
    promise = sale["links"]["public"]
    pages.append(promise[promise.index("/r/") :])
    for page in pages:
        text = operator.get(page).content.decode()
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page


@pytest.mark.parametrize("suffix", ["html", "json", "txt"])
def test_no_name_becomes_markup_on_a_receipt(evil, suffix):
    till, sale = evil
    answer = till.get(f"/api/invoices/{sale['id']}/receipt.{suffix}")
    body = {"device": "dvc-a1", "reference": "P-1", "lines": [{"item": "KETTLE", "quantity": "1"}]}
    proforma = till.post(f"/api/sales/proforma.{suffix}", body)

    for one in (answer, proforma):
        if "html" in one["Content-Type"]:
            assert "<script>alert" not in one.content.decode()
            assert "<img src=x" not in one.content.decode()
        else:
            assert one["X-Content-Type-Options"] == "nosniff"


# --- Names that are headers, and formulas ---


@pytest.mark.parametrize(
    "name", [BREAK, 'x"; filename="evil.exe', "../../etc/passwd", "é\u202efdp"]
)
def test_no_name_breaks_a_header(evil, name):
    till, sale = evil
    body = {"device": "dvc-a1", "reference": name, "lines": [{"item": "KETTLE", "quantity": "1"}]}
    made = till.post("/api/sales/", body)
    number = made.json().get("id", sale["id"])

    for suffix in ("html", "txt", "json"):
        answer = till.get(f"/api/invoices/{number}/receipt.{suffix}")
        said = answer.headers.get("Content-Disposition", "")
        assert "\r" not in said
        assert "\n" not in said
        assert "evil.exe" not in said.replace("%", "") or "filename*" in said
        assert "x" not in answer.cookies


def test_no_cell_of_a_file_is_a_formula(evil):
    till, _ = evil
    Item.objects.update(name=FORMULA)
    body = {"device": "dvc-a1", "reference": "S-9", "lines": [{"item": "KETTLE", "quantity": "1"}]}
    till.post("/api/sales/", body)

    for report in ("plu", "vat", "payments"):
        answer = till.client.get(
            f"/api/reports/{report}/?device=dvc-a1",
            headers={"Authorization": f"Token {till.secret}", "Accept": "text/csv"},
        )
        assert answer.status_code == 200, answer.content
        text = b"".join(answer) if answer.streaming else answer.content
        for row in csv.reader(io.StringIO(text.decode("utf-8-sig"))):
            assert [cell for cell in row if cell[:1] in "=@\t\r" and cell] == []


# --- Ways around ---


@pytest.mark.parametrize(
    "page", ["/admin/account/login/", "/dashboard/login/", "/admin/login/", "/admin/logout/"]
)
@pytest.mark.parametrize(
    "elsewhere", ["https://evil.test/", "//evil.test", r"/\evil.test", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(operator, page, elsewhere):
    for ask in (operator.get, operator.post):
        answer = ask(f"{page}?{urlencode({'next': elsewhere})}")
        sent = answer.headers.get("Location", "")
        assert not sent.startswith(("https://evil", "//evil", r"/\evil", "javascript:")), sent


def test_another_host_name_is_refused(settings, operator):
    settings.ALLOWED_HOSTS = ["pos.shop.test"]

    for page in ("/admin/", "/dashboard/", "/health/", "/api/devices/"):
        assert operator.get(page, headers={"host": "evil.test"}).status_code == 400
    assert operator.get("/health/live/", headers={"host": "pos.shop.test"}).status_code == 200


def test_forms_want_their_token():
    get_user_model().objects.create(username="root", is_staff=True, is_superuser=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.get())

    for page in (
        "/admin/account/login/", "/dashboard/login/", "/dashboard/logout/", "/admin/auth/user/add/",
        "/admin/monitoring/alert/test-channels/", "/admin/companies/company/1/act/add_member/",
        "/admin/sales/invoice/",
    ):  # fmt: skip
        assert client.post(page, {"a": "b"}).status_code == 403, page


def test_a_session_is_no_token_and_a_token_no_session(evil, operator):
    till, _ = evil
    assert operator.get("/api/invoices/").status_code == 401
    token = {"Authorization": f"Token {till.secret}"}
    for page in ("/admin/", "/dashboard/"):
        assert Client().get(page, headers=token).status_code == 302


def test_a_session_from_before_signing_in_is_worth_nothing():
    user = get_user_model().objects.create_user("mary", password="long-enough-4711")
    client = Client()
    planted = client.session
    planted["planted"] = "yes"
    planted.save()
    client.cookies["sessionid"] = planted.session_key
    client.post("/dashboard/login/", {"username": "mary", "password": "long-enough-4711"})

    assert client.cookies["sessionid"].value != planted.session_key
    assert not Client(headers={"Cookie": f"sessionid={planted.session_key}"}).session.get(
        "_auth_user_id"
    )
    assert user.pk


# --- Of another company ---


def test_acts_on_many_reach_only_ones_own(evil, open_till):
    till, sale = evil
    other = open_till("B000000002B", "dvc-b1", name="Beta")
    clerk = get_user_model().objects.create(username="b", is_staff=True)
    Member.objects.create(company=other.company, user=clerk, role="owner")
    client = Client()
    client.force_login(clerk)
    before = list(type(till.company).objects.values_list("pk", "name"))
    form = {"action": "retry_selected", "_selected_action": [str(sale["id"])], "select_across": "1"}

    client.post("/admin/sales/invoice/", form)
    client.post("/admin/items/item/", form)

    assert list(type(till.company).objects.values_list("pk", "name")) == before
    from monitoring.models import AuditEvent

    assert not AuditEvent.objects.filter(company=till.company, actor="b").exists()


def test_a_request_of_another_company_is_not_decided(evil, open_till):
    from datetime import timedelta

    from django.utils import timezone

    till, _ = evil
    mine = get_user_model().objects.create(username="a", is_staff=True)
    theirs = get_user_model().objects.create(username="b", is_staff=True)
    other = open_till("B000000002B", "dvc-b1", name="Beta")
    Member.objects.create(company=till.company, user=mine, role="owner")
    Member.objects.create(company=other.company, user=theirs, role="owner")
    asked = ActionRequest.objects.create(
        company=till.company, act="void", model="sales.Invoice", object_id=1, object_text="x",
        reason="because", requested_by=mine, expires_at=timezone.now() + timedelta(hours=1),
        values={}, seen=[],
    )  # fmt: skip
    client = Client()
    client.force_login(theirs)
    base = f"/admin/monitoring/actionrequest/{asked.pk}/"

    for page in (f"{base}change/", f"{base}decide/", f"{base}history/", base):
        for ask in (client.get, client.post):
            answer = ask(page, {"decision": "approve", "reason": "stolen"}, follow=True)
            assert answer.status_code in (403, 404), page
    asked.refresh_from_db()
    assert asked.state == "requested"


# --- Too much of everything ---


@pytest.mark.parametrize("depth", [50, 5_000, 200_000])
@pytest.mark.parametrize("path", ["/api/sales/", "/api/item/sync/", "/api/webhooks/"])
def test_deep_json_is_refused(evil, path, depth):
    till, _ = evil
    body = b'{"lines":' * 1 + b"[" * depth + b"]" * depth + b"}"

    answer = till.client.post(
        path, body, content_type="application/json",
        headers={"Authorization": f"Token {till.secret}"},
    )  # fmt: skip

    assert answer.status_code == 400, answer.content[:300]


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "a" * 20_000, "q=%00", "p=99999999999999999999", "o=99.-1.x", "e=1", "page=x",
        "company=" + "9" * 4000, "_facets=1", "company__pin__regex=(a%2B)%2B$",
        "&".join(f"x{n}=1" for n in range(900)),
    ],
)  # fmt: skip
def test_odd_addresses_of_the_admin_are_no_500(evil, operator, query):
    operator.raise_request_exception = False
    for page in ("/admin/sales/invoice/", "/admin/companies/company/", "/admin/search/",
                 "/dashboard/", "/dashboard/fragment/"):  # fmt: skip
        assert operator.get(f"{page}?{query}").status_code < 500, page


@pytest.mark.parametrize("key", ["abc", "1'", "%00", "99999999999999999999999", "_5F", "-1"])
def test_odd_keys_of_the_admin_are_no_500(evil, operator, key):
    operator.raise_request_exception = False
    for model in ("sales/invoice", "companies/company", "monitoring/actionrequest", "devices/call"):
        for tail in ("change/", "act/retry/", "act/void/", "history/", "delete/", "decide/", ""):
            page = f"/admin/{model}/{key}/{tail}"
            assert operator.get(page).status_code < 500, page
            assert operator.post(page, {"reason": "why not"}).status_code < 500, page


def test_json_that_is_no_object_is_refused(evil):
    till, _ = evil
    for body in (b"[]", b"1e400", b"NaN", b'"\\ud800"', b"\xff\xfe", b"{" * 10):
        answer = till.client.post(
            "/api/sales/", body, content_type="application/json",
            headers={"Authorization": f"Token {till.secret}"},
        )  # fmt: skip
        assert answer.status_code == 400, (body, answer.content)
        assert json.loads(answer.content)["error"]["code"]
