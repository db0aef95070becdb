"""How the API behaves whatever it is asked: ids, repeats, pages, filters, errors, documentation."""

import base64
import re
from contextlib import closing
from datetime import timedelta
from urllib.parse import quote, urlencode

import msgspec
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from core.api import CursorPagination
from outbox.models import Status, Transmission
from sales.models import Invoice
from sales.tests.shop import settle, sign

from .doors import DOORS
from .refusals import error_of, fields_of

pytestmark = pytest.mark.django_db

# The feed has places, not pages.
LISTS = [
    name.split()[1]
    for name, door in DOORS.items()
    if door.behind == "list" and name != "GET /api/events/"
]
INVOICES = "/api/invoices/"


def references(till, **query):
    response = till.get(f"{INVOICES}?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return [row["reference"] for row in response.json()["results"]]


# --- Requests and repeats


@pytest.mark.parametrize("given", ["abc-123", "a.b:c_d", "x" * 64])
def test_it_echoes_the_callers_request_id(till, given):
    response = till.client.get(INVOICES, headers=till.headers(**{"X-Request-ID": given}))

    assert response["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\n", "é", "<script>", "a;b"])
def test_it_gives_an_id_of_its_own_when_the_callers_is_odd(till, given):
    response = till.client.get(INVOICES, headers=till.headers(**{"X-Request-ID": given}))

    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


def test_a_refusal_has_a_request_id_too(till):
    response = Client().get("/api/nothing/", headers={"X-Request-ID": "abc"})

    assert (response.status_code, response["X-Request-ID"]) == (404, "abc")


def test_a_repeat_says_that_it_is_one(till):
    first = till.post("/api/sales/", till.sale("T-1"))
    again = till.post("/api/sales/", till.sale("T-1"))

    assert (first.status_code, first["Location"]) == (202, f"{INVOICES}{first.json()['id']}/")
    assert "Idempotent-Replayed" not in first
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first.json()


def test_a_batch_gives_each_sale_the_status_it_would_have_had_alone(till):
    till.sell("T-1")
    sales = [
        till.sale("T-1"),
        till.sale("T-2"),
        till.sale("T-3", training=True),
        till.sale("T-1", remark="other"),
        till.sale("T-2"),
        till.sale("T-4", device="dvcv9999"),
    ]

    body = till.post("/api/sales/bulk/", {"sales": sales}).json()

    assert [one["status"] for one in body["results"]] == [200, 202, 201, 409, 200, 404]
    assert (body["accepted"], body["refused"]) == (4, 2)
    assert Invoice.objects.count() == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_who_writes_without_the_last_slash_is_told_and_not_sent_on(client, method):
    response = client.generic(method, "/api/sales", b"{}", content_type="application/json")

    assert response.status_code == 404
    assert "last slash missing" in response.json()["error"]["help"]
    assert client.get("/api/sales").status_code == 301


# --- Pages


def test_pages_neither_repeat_nor_lose_a_row_while_sales_come_in(till):
    for number in range(7):
        till.sell(f"T-{number}")

    page = till.get(f"{INVOICES}?limit=3").json()
    seen = [row["reference"] for row in page["results"]]
    while page["next"]:
        till.sell(f"NEW-{len(seen)}")
        page = till.get(page["next"]).json()
        seen += [row["reference"] for row in page["results"]]

    assert seen == ["T-6", "T-5", "T-4", "T-3", "T-2", "T-1", "T-0"]


def test_a_page_leads_back_to_the_one_before(till):
    for number in range(5):
        till.sell(f"T-{number}")
    first = till.get(f"{INVOICES}?limit=2").json()
    second = till.get(first["next"]).json()

    back = till.get(second["previous"]).json()

    assert [row["reference"] for row in back["results"]] == ["T-4", "T-3"]


@pytest.mark.parametrize("limit", ["3", "99999999999999999999999", "9" * 5000])
def test_it_gives_at_most_the_largest_page(till, monkeypatch, limit):
    monkeypatch.setattr(CursorPagination, "max_page_size", 2)
    for number in range(3):
        till.sell(f"T-{number}")

    assert len(references(till, limit=limit)) <= 3
    if len(limit) < 4000:
        assert references(till, limit=limit) == ["T-2", "T-1"]


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "1.5", "", "\x00"])
def test_it_takes_an_odd_limit_for_none(till, limit):
    till.sell("T-1")

    assert references(till, limit=limit) == ["T-1"]


CURSORS = [
    "p=abc", "p=1.5", "p=", "p=-1", "p=%00", "p=1e5", "p=NaN", f"p={'9' * 20}", "p=٣", "o=-1",
    "o=x", "r=x", "o=99999999999999999999x",
]  # fmt: skip


@pytest.mark.parametrize("cursor", [*CURSORS, "p=1;DROP TABLE"])
def test_it_refuses_a_cursor_that_it_did_not_make(till, cursor):
    encoded = quote(base64.b64encode(cursor.encode()).decode())

    for path in LISTS:
        response = till.get(f"{path}?cursor={encoded}")
        assert (response.status_code, error_of(response)["message"]) == (404, "Invalid cursor")


@pytest.mark.parametrize("cursor", ["%00", "%ff%fe", "x", "====", "A" * 10_000])
def test_it_refuses_a_cursor_that_is_none(till, cursor):
    for path in LISTS:
        response = till.get(f"{path}?cursor={cursor}")
        assert response.status_code in (200, 404)
        if response.status_code == 404:
            error_of(response)


def count_queries(till, path):
    with CaptureQueriesContext(connection) as queries:
        assert till.get(path).status_code == 200
    return len(queries)


def test_a_list_asks_as_often_for_fifty_as_for_five(till):
    till.get(INVOICES)  # the token is read once
    lines = [{"item": "KETTLE", "quantity": "1"}, {"item": "SEED", "quantity": "1"}]
    for number in range(50):
        sale = till.sell(f"T-{number}", lines=lines)
        if number % 2:
            sign(sale)
    note = {"device": "dvcv1130", "reference": "C-1", "original": "T-1"}
    assert till.post("/api/credit-notes/", note).status_code == 202

    few = count_queries(till, f"{INVOICES}?limit=5")
    many = count_queries(till, f"{INVOICES}?limit=50")

    assert few == many <= 4


@pytest.mark.parametrize("action", ["", "receipt/"])
def test_a_large_invoice_asks_as_often_as_a_small_one(till, action):
    item = {"item": "KETTLE", "quantity": "1"}
    sales = [till.sell(f"T-{n}", lines=[item] * n) for n in (1, 200)]
    for sale in sales:
        sign(sale)

    few, many = (count_queries(till, f"{INVOICES}{sale.pk}/{action}") for sale in sales)

    assert few == many


# --- Filters


DAY = timedelta(days=1)


def age(sale, days):
    """The sale happened, and was last touched, some days ago."""
    moment = timezone.now() - days * DAY
    sale = Invoice.objects.get(pk=sale.pk)
    sale.sold_at = sale.created_at = moment
    sale.state_at = sale.state_at and moment
    sale.save()
    rows = Transmission.objects.filter(pk=sale.transmission_id)
    rows.exclude(finished_at=None).update(finished_at=moment)


@pytest.fixture
def history(till):
    """One sale in each state, a day apart; the oldest is six days old."""
    names = ["SIGNED", "REFUSED", "UNKNOWN", "VOIDED", "QUEUED"]
    sales = {name: till.sell(name, customer={"pin": "A123456789Z"}) for name in names}
    sign(sales["SIGNED"], 41)
    settle(sales["REFUSED"], Status.REFUSED)
    settle(sales["UNKNOWN"], Status.UNKNOWN, number=42)
    void = till.post(f"{INVOICES}{sales['VOIDED'].pk}/void/", {"reason": "typed twice"})
    assert void.status_code == 200
    assert till.post("/api/sales/", till.sale("TRAINING", training=True)).status_code == 201
    sales["TRAINING"] = Invoice.objects.get(reference="TRAINING")
    for days, sale in enumerate(reversed(sales.values()), start=1):
        age(sale, days)
    return till


ALL = ["TRAINING", "QUEUED", "VOIDED", "UNKNOWN", "REFUSED", "SIGNED"]


def ago(days):
    return (timezone.now() - timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("_case", "query", "found"),
    [
        ("nothing asked", {}, ALL),
        *[(name, {"status": name.lower()}, [name]) for name in ALL],
        ("a state without sales", {"status": "conflict"}, []),
        ("device", {"device": "dvcv1130"}, ALL),
        ("another device", {"device": "dvcv9999"}, []),
        ("branch", {"branch": "00"}, ALL),
        ("another branch", {"branch": "01"}, []),
        ("kind", {"kind": "sale"}, ALL),
        ("the other kind", {"kind": "credit_note"}, []),
        ("reference", {"reference": "REFUSED"}, ["REFUSED"]),
        ("part of a reference", {"reference": "REF"}, []),
        ("number", {"number": "41"}, ["SIGNED"]),
        ("a number beyond 64 bits", {"number": "9" * 30}, []),
        ("buyer", {"customer_pin": "A123456789Z"}, ALL[1:]),
        ("sold from", {"sold_from": ago(2.5)}, ["TRAINING", "QUEUED"]),
        ("sold before", {"sold_to": ago(4.5)}, ["REFUSED", "SIGNED"]),
        ("sold between", {"sold_from": ago(4.5), "sold_to": ago(2.5)}, ["VOIDED", "UNKNOWN"]),
        ("changed since", {"changed_since": ago(2.5)}, ["TRAINING", "QUEUED"]),
        ("two at once", {"status": "signed", "reference": "REFUSED"}, []),
        ("an empty value", {"status": ""}, ALL),
    ],
)
def test_it_finds_what_was_asked_for(history, _case, query, found):
    assert references(history, **query) == found


def test_what_kra_signed_counts_as_changed(history):
    sign(Invoice.objects.get(reference="QUEUED"), 43)

    assert references(history, changed_since=ago(0.5)) == ["QUEUED"]


def test_what_people_decided_counts_as_changed(history):
    sale = Invoice.objects.get(reference="REFUSED")
    history.post(f"{INVOICES}{sale.pk}/void/", {"reason": "typed twice"})

    assert references(history, changed_since=ago(0.5)) == ["REFUSED"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "paid"),
        ("status", "SIGNED"),
        ("kind", "invoice"),
        ("sold_from", "yesterday"),
        ("sold_to", "2026-13-01T00:00:00Z"),
        ("changed_since", "2026-11-22T10:15:00 03:00"),
        ("number", "abc"),
        ("number", "1.5"),
        ("number", "NaN"),
        ("number", "1e400"),
        ("number", "-1e999999999"),
        ("device", "a\x00"),
        ("reference", "\x00"),
        ("customer_pin", "\x00"),
    ],
)
def test_it_refuses_a_filter_that_makes_no_sense(till, field, value):
    response = till.get(f"{INVOICES}?{urlencode({field: value})}")

    assert fields_of(response) == [field]


@pytest.mark.parametrize(
    "query",
    [
        "/api/invoices/?number=",
        "/api/logs/?number=",
        "/api/logs/?status=",
        "/api/logs/?min_ms=",
        "/api/classifications/?level=",
    ],
)
def test_it_never_writes_out_a_million_digits(till, query):
    """`-1e999999999` would keep a worker busy for hours; this is the same in small."""
    response = till.get(f"{query}-1e3000")

    assert response.status_code == 400
    error_of(response)


# --- Methods, addresses, media types


@pytest.mark.parametrize(
    ("_case", "method", "path", "headers", "status", "code"),
    [
        ("unknown address", "GET", "/api/nothing/", {}, 404, "not_found"),
        ("outside the API", "GET", "/nothing", {}, 404, "not_found"),
        ("unknown object", "GET", "/api/invoices/999/", {}, 404, "not_found"),
        ("wrong method", "DELETE", "/api/sales/", {}, 405, "method_not_allowed"),
        ("list as command", "POST", "/api/invoices/", {}, 405, "method_not_allowed"),
        ("HTML", "GET", "/api/invoices/", {"Accept": "text/html"}, 406, "not_acceptable"),
        ("no media type", "GET", "/api/invoices/", {"Accept": "x"}, 406, "not_acceptable"),
        ("unknown format", "GET", "/api/invoices/?format=xml", {}, 404, "not_found"),
        ("form", "POST", "/api/sales/", {"Content-Type": "text/plain"}, 415,
         "unsupported_media_type"),
    ],
)  # fmt: skip
def test_it_refuses_in_one_shape(till, _case, method, path, headers, status, code):
    kind = headers.pop("Content-Type", "application/json")

    response = till.client.generic(method, path, b"{}", kind, headers=till.headers(**headers))

    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code)


def test_it_answers_head_as_get_without_a_body(till):
    response = till.client.head(INVOICES, headers=till.headers())

    assert (response.status_code, response.content) == (200, b"")


def test_it_answers_options_everywhere(till):
    for name in DOORS:
        path = name.split()[1].format(
            id=1, serial="dvcv1130", sku="KETTLE", class_id="04", number=9, suffix="txt"
        )
        response = till.client.options(path, headers=till.headers())
        assert response.status_code in (200, 405), path


def test_a_receipt_is_text_and_its_refusal_json(till):
    sale = till.sell("T-1")
    asked = till.headers(Accept="text/plain")

    early = till.client.get(f"{INVOICES}{sale.pk}/receipt/", headers=asked)
    sign(sale)
    signed = till.client.get(f"{INVOICES}{sale.pk}/receipt/", headers=asked)

    assert (early.status_code, error_of(early)["code"]) == (409, "not_signed")
    assert signed["Content-Type"] == "text/plain; charset=utf-8"
    assert "CU INVOICE NUMBER: KRACU0100000001/1" in signed.content.decode()


# --- Documentation


def test_the_openapi_document_is_valid_and_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "openapi.yaml"))


def examples():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody") if isinstance(operation, dict) else None
            for media in (body or {}).get("content", {}).values():
                for example in media.get("examples", {}).values():
                    yield f"{method.upper()} {path}", example["value"]


def test_the_documented_examples_are_accepted(till, platform_token):
    """As a newcomer would try them: with items of those names, on a till's own token."""
    found = dict(examples())
    assert set(found) >= {"POST /api/company/onboard/", "POST /api/item/sync/", "POST /api/sales/"}
    token = till.company.tokens.get()
    token.device = till.device
    token.save()
    operator = {"Authorization": f"Token {platform_token}"}
    open_branch(till)

    # Those that ask KRA get no answer here; those about one thing need one.
    ours = [name for name in found if DOORS[name].status < 500 and "{" not in name]
    for name in sorted(ours, key=list(DOORS).index):
        body, path = found[name], name.split()[1]
        if name == "POST /api/credit-notes/":
            sign(Invoice.objects.get(reference=body["original"]))
        if DOORS[name].behind == "operator":
            body = body | {"pin": "Z999999999Z"}
            response = till.client.post(
                path, body, content_type="application/json", headers=operator
            )
        else:
            response = till.client.generic(
                name.split()[0],
                path,
                msgspec.json.encode(body),
                content_type="application/json",
                headers=till.headers(),
            )
        if DOORS[name].status == 502:  # it asks KRA, which cannot be reached here
            assert response.status_code == 502, (name, response.content)
            continue
        assert response.status_code < 300, (name, response.content)
        if response["Content-Type"] == "application/json":  # a proforma is paper
            refused = response.json().get("summary", {}).get("refused", 0)
            assert refused == 0, response.content
        register(till)


def open_branch(till):
    """A second branch with a device, for goods to go to."""
    branch = till.company.branches.create(code="01", name="Thika")
    till.company.devices.create(branch=branch, serial="dvc-thika", state="active", key="secret-key")


def register(till):
    """KRA accepts the items that an example has just created."""
    for item in till.company.items.filter(registered_at=None, code=""):
        item.code, item.registered_at = f"KE2NTNO{item.pk:07}", timezone.now()
        item.save()


def test_the_documentation_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs/")

    assert page.status_code == 200
    html = page.content.decode()
    assert "swagger-ui" in html
    assert re.findall(r"""(?:src|href|url)\s*[=:(]\s*["']?(?:https?:)?//[^"'\s)]+""", html) == []
    for path in re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", html):
        with closing(client.get(path)) as asset:
            assert asset.status_code == 200, path


def test_the_schema_is_open_to_everybody(client):
    response = client.get("/api/schema/?format=json")

    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
