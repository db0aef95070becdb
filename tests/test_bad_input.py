"""Sales that must not be: every refusal names field, reason and way out, and stores nothing."""

from urllib.parse import urlencode

import pytest

from outbox.models import Status
from sales.models import Invoice
from sales.tests.shop import settle, sign

from .refusals import error_of, fields_of, snapshot

pytestmark = pytest.mark.django_db

CREDIT = "/api/credit-notes/"


def line(**changes):
    return {"lines": [{"item": "KETTLE", "quantity": "1"} | changes]}


def priced(**changes):
    return line(**{"unit_price": "100.00"} | changes) | {"prices_include_tax": True}


def dollars(rate):
    return {"currency": "USD", "exchange_rate": rate}


ENDLESS = ["NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e1000000", "1e999999999999999999"]
ODD = [*ENDLESS, "1e-1000000", "-1", "-0", "0.001", "1.234", "0e99999"]

# What is wrong, what is sent, and the fields that the answer names.
WRONG = [
    *[(f"quantity {n}", line(quantity=n), ["lines[0].quantity"]) for n in [*ODD, "0"]],
    ("more than there is", line(quantity="10000000.01"), ["lines[0].quantity"]),
    *[(f"price {n}", priced(unit_price=n), ["lines[0].unit_price"]) for n in ODD],
    *[(f"percent {n}", line(discount_percent=n), ["lines[0].discount_percent"]) for n in ODD],
    ("more than all", line(discount_percent="100.01"), ["lines[0].discount_percent"]),
    *[(f"discount {n}", line(discount_amount=n), ["lines[0].discount_amount"]) for n in ODD],
    ("more than the line", line(discount_amount="2320.01"), ["lines[0].discount_amount"]),
    *[(f"order discount {n}", {"discount_amount": n}, ["discount_amount"]) for n in ODD],
    ("more than the sale", {"discount_amount": "4320.01"}, ["discount_amount"]),
    ("discount both ways", line(discount_amount="1", discount_percent="1"),
     ["lines[0].discount_amount"]),
    *[(f"exchange {n}", dollars(n), ["exchange_rate"]) for n in [*ENDLESS, "1e-1000000", "-1"]],
    *[(f"exchange {n}", dollars(n), ["exchange_rate"]) for n in ["0", "-0", "1e12", "0.0000001"]],
    ("currency without a rate", {"currency": "USD"}, ["exchange_rate"]),
    ("a rate for shillings", {"exchange_rate": "2"}, ["exchange_rate"]),
    ("a currency in small letters", {"currency": "usd", "exchange_rate": "129"}, ["currency"]),
    *[(f"rate {n}", line(rate=n), ["lines[0].rate"]) for n in [*ENDLESS, "18", "0", "-16"]],
    ("rate of the other letter", line(tax="A", rate="16"), ["lines[0].rate"]),
    *[(f"tax {word!r}", line(tax=word), ["lines[0].tax"]) for word in ("F", "b", "vat", " B")],
    ("unknown item", line(item="GHOST"), ["lines[0].item"]),
    ("item that KRA does not know", line(item="DRAFT"), ["lines[0].item"]),
    ("item taken off", line(item="GONE"), ["lines[0].item"]),
    ("item that is not fiscal", line(item="TIP"), ["lines[0].item"]),
    ("no item", line(item=""), ["lines[0].item"]),
    ("own price, tax left open", line(unit_price="1"), ["prices_include_tax"]),
    ("catalogue price without tax", {"prices_include_tax": False},
     ["lines[0].unit_price", "lines[1].unit_price"]),
    ("no lines", {"lines": []}, ["lines"]),
    ("1,000 lines", {"lines": line()["lines"] * 1000}, ["lines"]),
    ("a line beyond KRA's field", priced(unit_price="9999999999999.99", quantity="2"),
     ["lines[0].unit_price"]),
    ("a gift beyond KRA's field",
     priced(unit_price="9999999999999.99", quantity="10000000", discount_percent="100"),
     ["lines[0].unit_price"]),
    ("a total beyond KRA's field",
     {"prices_include_tax": True,
      "lines": priced(unit_price="9999999999999.99")["lines"] * 2}, ["lines"]),
    ("tomorrow", {"sold_at": "2999-01-01T00:00:00+03:00"}, ["sold_at"]),
    ("long ago", {"sold_at": "2001-01-01T00:00:00+03:00"}, ["sold_at"]),
    ("before all time", {"sold_at": "0001-01-01T00:00:00+03:00"}, ["sold_at"]),
    ("after all time", {"sold_at": "9999-12-31T23:59:59-12:00"}, ["sold_at"]),
    ("without an offset", {"sold_at": "2026-11-22T10:15:00"}, ["sold_at"]),
    ("no time", {"sold_at": "yesterday"}, ["sold_at"]),
    *[(f"PIN {pin!r}", {"customer": {"pin": pin}}, ["customer.pin"]) for pin in (
        "A12", "a123456789z", "1123456789Z", "A1234567890", "A12345678٩Z", "A123456789Z ", "-")],
    ("unknown payment", {"payment_method": "barter"}, ["payment_method"]),
    ("name too long", {"customer": {"name": "x" * 61}}, ["customer.name"]),
    ("remark too long", {"remark": "x" * 401}, ["remark"]),
    ("line break in a name", {"customer": {"name": "A\nTOTAL 0.00"}}, ["customer.name"]),
    ("line break behind a currency", dollars("129") | {"currency": "USD\n"}, ["currency"]),
    ("controls everywhere", {"remark": "\x01", "customer": {"name": "\x7f", "phone": "\x85"}},
     ["customer.name", "customer.phone", "remark"]),
    ("line separator", {"remark": "a\u2028b"}, ["remark"]),
    ("unknown field", {"total": "1"}, ["total"]),
    ("unknown field of a line", line(total="1"), ["lines[0].total"]),
    ("quantity that is no number", line(quantity=True), ["lines[0].quantity"]),
    ("quantity without digits", line(quantity=""), ["lines[0].quantity"]),
    ("lines that are no list", {"lines": {}}, ["lines"]),
    ("a line that is no object", {"lines": [1]}, ["lines[0]"]),
    ("customer that is no object", {"customer": "Baraka"}, ["customer"]),
    ("a word for yes", {"training": "yes"}, ["training"]),
]  # fmt: skip
# All four doors lead to the same reading; these show that none leads past it.
SOME = WRONG[::4]


@pytest.mark.parametrize(("_case", "change", "fields"), WRONG)
def test_it_refuses_the_sale(till, _case, change, fields):
    before = snapshot()

    response = till.post("/api/sales/", till.sale("T-1", **change))

    assert fields_of(response) == fields
    assert snapshot() == before


@pytest.mark.parametrize(("_case", "change", "fields"), SOME)
def test_it_names_the_same_problems_in_a_preview(till, _case, change, fields):
    response = till.post("/api/sales/preview/", till.sale("T-1", **change))

    if response.status_code == 200:
        preview = response.json()
        assert (preview["is_valid"], preview["total"], preview["lines"]) == (False, None, None)
        assert [problem["field"] for problem in preview["problems"]] == fields
    else:
        assert fields_of(response) == fields


@pytest.mark.parametrize(("_case", "change", "fields"), SOME)
def test_it_refuses_only_the_wrong_sale_of_many(till, _case, change, fields):
    sales = [till.sale("T-1"), till.sale("T-2", **change)]

    response = till.post("/api/sales/bulk/", {"sales": sales})

    assert response.status_code == 200, response.content
    good, bad = response.json()["results"]
    assert (good["status"], bad["status"], bad["sale"]) == (202, 400, None)
    assert [problem["field"] for problem in bad["error"]["detail"]] == fields
    assert [sale.reference for sale in Invoice.objects.all()] == ["T-1"]


def test_it_knows_a_wrong_sale_of_many_by_its_reference_where_it_has_one(till):
    sales = [{"reference": "T-1", "lnes": []}, {"reference": 5}, {}, "a sale", till.sale("T-2")]

    results = till.post("/api/sales/bulk/", {"sales": sales}).json()["results"]

    assert [(one["reference"], one["status"]) for one in results] == [
        ("T-1", 400), ("5", 400), ("", 400), ("", 400), ("T-2", 202),
    ]  # fmt: skip


@pytest.fixture
def refused(till):
    sale = till.sell("T-1")
    settle(sale, Status.REFUSED, error_code="910", error_message="Invalid parameter")
    return sale


def without_reference(till, change):
    body = till.sale("")
    del body["reference"]
    return body | change


@pytest.mark.parametrize(("_case", "change", "fields"), SOME)
def test_it_refuses_the_correction(till, refused, _case, change, fields):
    before = snapshot()

    response = till.post(f"/api/invoices/{refused.pk}/correct/", without_reference(till, change))

    assert fields_of(response) == fields
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "change", "field"),
    [
        ("another device", {"device": "dvcv9999"}, "device"),
        ("into a training sale", {"training": True}, "training"),
        ("another reference", {"reference": "T-2"}, "reference"),
    ],
)
def test_a_correction_keeps_what_makes_the_sale(till, refused, _case, change, field):
    before = snapshot()

    response = till.post(f"/api/invoices/{refused.pk}/correct/", without_reference(till, change))

    assert fields_of(response) == [field]
    assert snapshot() == before


def test_it_lists_all_problems_at_once(till):
    change = {
        "sold_at": "2999-01-01T00:00:00+03:00",
        "customer": {"pin": "A12"},
        "payment_method": "barter",
        "currency": "USD",
        "discount_amount": "-1",
        "lines": [
            {"item": "GHOST", "quantity": "1"},
            {"item": "KETTLE", "quantity": "0", "tax": "F", "unit_price": "-1"},
        ],
    }

    response = till.post("/api/sales/", till.sale("T-1", **change))

    assert fields_of(response) == [
        "sold_at", "customer.pin", "payment_method", "exchange_rate", "prices_include_tax",
        "discount_amount", "lines[0].item", "lines[1].tax", "lines[1].unit_price",
        "lines[1].quantity",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reference", ["", "x" * 51, "T-1\n", "T\t1", "Tür-1", "T-\x001", "\U0001f600"]
)
def test_it_refuses_a_reference_that_kra_could_not_hold(till, reference):
    before = snapshot()

    response = till.post("/api/sales/", till.sale(reference))

    assert error_of(response)["code"] == "invalid"
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "change"),
    [
        ("another price", priced()),
        ("another buyer", {"customer": {"pin": "A123456789Z"}}),
        ("another time", {"sold_at": "2026-11-22T10:15:00+03:00"}),
        ("another remark", {"remark": "second"}),
        ("wrong besides", line(quantity="-1")),
    ],
)
def test_it_refuses_a_reference_with_other_content(till, _case, change):
    till.sell("T-1")
    before = snapshot()

    response = till.post("/api/sales/", till.sale("T-1", **change))

    assert fields_of(response, 409) == ["reference"]
    assert error_of(response)["code"] == "reference_reused"
    assert snapshot() == before


@pytest.mark.parametrize("quantity", [1, 1.0, "1", "1.0", "1.00", "1e0", "0.1E+1"])
def test_it_takes_a_number_as_the_same_however_it_is_spelt(till, quantity):
    first = till.post("/api/sales/", till.sale("T-1", **line(quantity="1")))

    again = till.post("/api/sales/", till.sale("T-1", **line(quantity=quantity)))

    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


@pytest.mark.parametrize(
    ("_case", "serial"),
    [
        ("nobody's", "dvcv9999"),
        ("another company's", "beta-1"),
        ("with a way up", "../dvcv1130"),
        ("with a slash", "dvcv1130/"),
        ("in another script", "dvcv١١٣٠"),
        ("in capitals", "DVCV1130"),
        ("with a space", "dvcv1130 "),
    ],
)
@pytest.mark.parametrize("path", ["/api/sales/", "/api/sales/preview/", CREDIT])
def test_it_refuses_a_serial_that_is_not_its_own(till, open_till, path, _case, serial):
    open_till("B123456789Z", "beta-1")
    before = snapshot()
    body = {"original": "T-1"} if path == CREDIT else {"lines": line()["lines"]}

    response = till.post(path, body | {"device": serial, "reference": "T-1"})

    assert error_of(response)["code"] == "not_found"
    assert response.status_code == 404
    assert snapshot() == before


def test_it_asks_which_of_several_devices_sells(till):
    second = type(till.device).objects.get(pk=till.device.pk)
    second.pk, second.serial = None, "dvc-second"
    second.save(force_insert=True)

    response = till.post("/api/sales/", {"reference": "T-1", **line()})

    assert fields_of(response) == ["device"]
    assert not Invoice.objects.exists()


def test_it_sells_on_the_only_device_there_is(till):
    response = till.post("/api/sales/", {"reference": "T-1", **line()})

    assert (response.status_code, response.json()["device"]) == (202, till.device.serial)


@pytest.mark.parametrize("state", ["registered", "initialising", "suspended"])
def test_it_refuses_a_device_that_does_not_sell(till, state):
    type(till.device).objects.update(state=state)
    before = snapshot()

    response = till.post("/api/sales/", till.sale("T-1"))

    assert (response.status_code, error_of(response)["code"]) == (409, "not_ready")
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "change", "fields"),
    [
        *[(f"quantity {n}", {"lines": [{"line": 1, "quantity": n}]}, ["lines[0].quantity"])
          for n in [*ODD, "0", "1.01", "2"]],
        ("no such line", {"lines": [{"line": 3, "quantity": "1"}]}, ["lines[0].line"]),
        ("line 0", {"lines": [{"line": 0, "quantity": "1"}]}, ["lines[0].line"]),
        ("line beyond 64 bits", {"lines": [{"line": 2**70, "quantity": "1"}]}, ["lines[0].line"]),
        ("one line twice", {"lines": [{"line": 1, "quantity": "0.5"}] * 2}, ["lines[1].line"]),
        ("no lines", {"lines": []}, ["lines"]),
        ("unknown reason", {"reason": "mood"}, ["reason"]),
        ("before the sale", {"sold_at": "2026-01-01T00:00:00+03:00"}, ["sold_at"]),
        ("tomorrow", {"sold_at": "2999-01-01T00:00:00+03:00"}, ["sold_at"]),
        ("before all time", {"sold_at": "0001-01-01T00:00:00+03:00"}, ["sold_at"]),
        ("after all time", {"sold_at": "9999-12-31T23:59:59-12:00"}, ["sold_at"]),
        ("without an offset", {"sold_at": "2026-11-22T10:15:00"}, ["sold_at"]),
        ("a buyer of its own", {"customer": {"pin": "B123456789Z"}}, ["customer"]),
        ("a price of its own", {"lines": [{"line": 1, "quantity": "1", "unit_price": "1"}]},
         ["lines[0].unit_price"]),
        ("line break in the remark", {"remark": "a\nb"}, ["remark"]),
    ],
)  # fmt: skip
def test_it_refuses_the_credit_note(till, _case, change, fields):
    sign(till.sell("T-1"))
    before = snapshot()

    response = till.post(
        CREDIT, {"device": "dvcv1130", "reference": "C-1", "original": "T-1"} | change
    )

    assert fields_of(response) == fields
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "original", "status", "code"),
    [
        ("not sent", "QUEUED", 409, "not_creditable"),
        ("refused", "REFUSED", 409, "not_creditable"),
        ("unknown to KRA", "UNKNOWN", 409, "not_creditable"),
        ("a training sale", "TRAINING", 409, "not_creditable"),
        ("a credit note", "NOTE", 404, "not_found"),
        ("another company's", "BETA", 404, "not_found"),
        ("nobody's", "GHOST", 404, "not_found"),
        ("NUL", "T-\x001", 400, "invalid"),
    ],
)
def test_it_credits_nothing_but_a_signed_sale(till, open_till, _case, original, status, code):
    sign(open_till("B123456789Z", "beta-1").sell("BETA"))
    sign(till.sell("SIGNED"))
    note = {"device": "dvcv1130", "reference": "NOTE", "original": "SIGNED"}
    assert till.post(CREDIT, note).status_code == 202
    till.sell("QUEUED")
    settle(till.sell("REFUSED"), Status.REFUSED)
    assert till.post("/api/sales/", till.sale("TRAINING", training=True)).status_code == 201
    settle(till.sell("UNKNOWN"), Status.UNKNOWN)
    before = snapshot()

    response = till.post(CREDIT, note | {"reference": "C-1", "original": original})

    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "status", "action", "code"),
    [
        ("correct", Status.QUEUED, "correct", "not_correctable"),
        ("correct", Status.SENDING, "correct", "not_correctable"),
        ("correct", Status.UNKNOWN, "correct", "not_correctable"),
        ("correct", Status.CONFLICT, "correct", "not_correctable"),
        ("correct", Status.ACCEPTED, "correct", "not_correctable"),
        ("void", Status.SENDING, "void", "not_voidable"),
        ("void", Status.UNKNOWN, "void", "not_voidable"),
        ("void", Status.CONFLICT, "void", "not_voidable"),
        ("void", Status.ACCEPTED, "void", "not_voidable"),
        ("retry", Status.ACCEPTED, "retry", "not_retryable"),
        ("retry", Status.REFUSED, "retry", "not_retryable"),
    ],
)
def test_it_leaves_a_sale_alone_that_kra_may_hold(till, _case, status, action, code):
    sale = till.sell("T-1")
    settle(sale, status) if status != Status.QUEUED else None
    before = snapshot()
    bodies = {"correct": without_reference(till, {}), "void": {"reason": "typed twice"}}

    response = till.post(f"/api/invoices/{sale.pk}/{action}/", bodies.get(action, {}))

    assert (response.status_code, error_of(response)["code"]) == (409, code)
    assert snapshot() == before


@pytest.mark.parametrize("prefer", ["wait=abc", "wait=-1", "wait=", "wait=1.5", "wait=1e9", "=;,"])
def test_it_ignores_a_preference_that_it_does_not_understand(till, prefer):
    response = till.post("/api/sales/", till.sale("T-1"), Prefer=prefer)

    assert response.status_code == 202
    assert "Preference-Applied" not in response


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=99999", "wait=30"),
        ('wait="7"', "wait=7"),
        ("respond-async, wait=5", "wait=5"),
        ("return=minimal; wait = 3", "wait=3"),
        ("WAIT=4", "wait=4"),
    ],
)
def test_it_waits_as_long_as_it_may(till, prefer, applied):
    response = till.post("/api/sales/", till.sale("T-1", training=True), Prefer=prefer)

    assert response.status_code == 201
    assert response["Preference-Applied"] == applied


@pytest.mark.parametrize("path", ["items", "imports", "invoices", "purchases", "customers", "logs"])
@pytest.mark.parametrize(
    ("_case", "moment", "status"),
    [
        ("PostgreSQL takes no such offset", "2026-08-02T21:08:18+18:38", 200),
        ("before the calendar", "0001-01-01T00:00:00+18:00", 400),
        ("after the calendar", "9999-12-31T23:59:59-18:00", 400),
    ],
)
def test_a_moment_of_any_offset_is_understood_or_refused(till, path, _case, moment, status):
    name = "started_from" if path == "logs" else "changed_since"

    response = till.get(f"/api/{path}/?{urlencode({name: moment})}")

    assert response.status_code == status, response.content


REPORT = "/api/reports/"


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        (f"{REPORT}x/", "opening_deposit", [*ENDLESS, "-1", "0.001", "1e15", "\x00", "abc"]),
        *[(f"{REPORT}{name}/", "from", ["yesterday", "2026-13-01", "٢٠٢٦-01-01", "\x00", "0"])
          for name in ("plu", "vat", "payments", "z")],
        (f"{REPORT}vat/", "documents", ["maybe", "\x00", "2"]),
        (f"{REPORT}payments/", "form", ["1"]),
        ("/api/events/", "wait", ["NaN", "-1", "soon", "\x00"]),
        ("/api/events/", "limit", ["0", "-1", "NaN", "many"]),
        ("/api/events/", "type", ["sale.dreamt", "\x00", ""]),
        ("/api/events/", "after", ["1-2", "x", "\x00", "9" * 40 + "-1-1", "-1-1-1"]),
        ("/api/journal/", "device", [""]),
        ("/api/alerts/", "severity", ["loud", "\x00"]),
    ],
)  # fmt: skip
def test_it_refuses_a_question_that_makes_no_sense(till, path, field, values):
    for value in values:
        response = till.get(f"{path}?{urlencode({field: value})}")

        assert field in fields_of(response), (value, response.content)


@pytest.mark.parametrize("door", ["receipt", "proforma"])
@pytest.mark.parametrize("suffix", ["docx", "TXT", "pdf999", "%2e%2e", "x" * 300])
def test_it_lists_the_formats_to_whoever_asks_for_another(till, door, suffix):
    sale = till.sell("T-1")
    sign(sale)
    before = snapshot()

    if door == "receipt":
        response = till.get(f"/api/invoices/{sale.pk}/receipt.{suffix}")
    else:
        response = till.post(f"/api/sales/proforma.{suffix}", till.sale("T-2"))

    assert response.status_code == 406
    assert "escpos80" in error_of(response)["detail"][0]["next_step"]
    assert snapshot() == before
