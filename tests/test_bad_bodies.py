"""Bodies, headers, addresses and parameters that no honest till sends, at every door."""

from typing import Any

import msgspec
import pytest
from django.test import Client

from .doors import DOORS, STOCK
from .refusals import error_of, fields_of, snapshot

pytestmark = pytest.mark.django_db

READING = [name for name, door in DOORS.items() if door.body]
LISTS = [name.split()[1] for name, door in DOORS.items() if door.behind == "list"]
# They answer with a verdict per row.
BY_ROW = ("POST /api/item/sync/", "POST /api/item/import/")
# Takes CSV, uploads and 32 MB; items/tests/test_tables.py has its limits.
TABLE = "POST /api/item/import/"
ONBOARD = "POST /api/company/onboard/"
OPERATORS = {name for name, door in DOORS.items() if door.behind == "operator"}


@pytest.fixture(scope="module")
def furnished(alphaville):
    return alphaville()


@pytest.fixture
def alpha(furnished, db, offline_kra):
    return furnished.again()


@pytest.fixture
def send(alpha, platform_token):
    """A function that posts bytes as they are."""

    def post(name, body, content_type="application/json"):
        secret = platform_token if name in OPERATORS else alpha.shop.secret
        headers = {"Authorization": f"Token {secret}"}
        return Client().generic(
            name.split()[0], alpha.path(name), body, content_type, headers=headers
        )

    return post


def twice(name):
    """The door's own body, with its first field given a second time."""
    body = msgspec.json.encode(DOORS[name].body)
    first, value = next(iter(DOORS[name].body.items()))
    return body[:-1] + b"," + msgspec.json.encode({first: value})[1:], first


BODIES = [
    ("nothing", b""),
    ("a brace", b"{"),
    ("cut", b'{"reference": "T-1", "lines": [{"item": "A-ONLY", "quantity": 1}'),
    ("two documents", b'{"reference": "T-1"} {}'),
    ("a form", b"reference=T-1&lines=1"),
    ("NaN", b'{"reference": NaN}'),
    ("comments", b'{"reference": "T-1" /* one */}'),
    ("single quotes", b"{'reference': 'T-1'}"),
    ("byte order mark", b'\xef\xbb\xbf{"reference": "T-1"}'),
    ("UTF-16", '{"reference": "T-1"}'.encode("utf-16")),
    ("not UTF-8", b'{"reference": "T-\xff\xfe"}'),
    ("overlong UTF-8", b'{"reference": "T-\xc0\x80"}'),
    ("raw surrogate", b'{"reference": "T-\xed\xa0\x80"}'),
    ("half a surrogate", b'{"reference": "T-\\ud800"}'),
    ("surrogates the wrong way", b'{"reference": "T-\\udc00\\ud800"}'),
    ("raw NUL", b'{"reference": "T-\x00"}'),
    ("NUL", b'{"reference": "T-\\u0000"}'),
    ("NUL in a name", b'{"refe\\u0000rence": "T-1"}'),
    ("raw line break", b'{"reference": "T-\n"}'),
    ("an array", b"[]"),
    ("a text", b'"T-1"'),
    ("a number", b"1"),
    ("a large number", b"1" * 10_000),
    ("null", b"null"),
    ("true", b"true"),
    ("nested lists", b"[" * 200_000),
    ("nested objects", b'{"lines":' * 100_000),
    ("nested in a field", b'{"lines": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ("nested in a row", b'{"items": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"),
    ("unknown field", b'{"__proto__": {"admin": true}}'),
]


@pytest.mark.parametrize(("_case", "body"), BODIES)
def test_it_refuses_what_is_no_object_of_its_kind(send, _case, body):
    before = snapshot()

    for name in READING:
        error = error_of(response := send(name, body))
        assert response.status_code == 400, name
        assert error["code"] == "invalid"
        assert error["detail"], name
    assert snapshot() == before


def test_it_refuses_a_field_that_is_given_twice(send):
    before = snapshot()

    for name in READING:
        body, field = twice(name)
        assert fields_of(send(name, body)) == [field], name
    assert snapshot() == before


@pytest.mark.parametrize(
    ("_case", "body", "field"),
    [
        ("in a line", b'{"lines":[{"item":"A-ONLY","quantity":1,"quantity":9}],"reference":"T"}',
         "quantity"),
        ("spelt with an escape", b'{"reference":"T-1","lines":[],"re\\u0066erence":"T-2"}',
         "reference"),
    ],
)  # fmt: skip
def test_it_finds_the_second_one_anywhere(send, _case, body, field):
    if b"[]" in body:
        body = body.replace(b"[]", b'[{"item":"A-ONLY","quantity":1}]')

    response = send("POST /api/sales/", body)

    assert fields_of(response) == [field]


def test_it_tells_many_fields_from_two_equal_ones_quickly(send):
    row = ",".join(f'"f{n}":1' for n in range(60_000)) + ',"f59999":1'
    body = f'{{"items":[{{{row}}}]}}'.encode()

    assert fields_of(send("POST /api/item/sync/", body)) == ["f59999"]


def test_it_refuses_a_body_that_is_too_large(send, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = size = 1_000_000
    before = snapshot()

    for name in set(READING) - {TABLE}:
        error = error_of(response := send(name, b" " * (size + 1)))
        assert (response.status_code, error["code"]) == (413, "too_large")
    assert snapshot() == before


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json-patch+json",
        "x\ty",
    ],
)
def test_it_refuses_a_body_that_does_not_call_itself_json(send, content_type):
    before = snapshot()

    for name in READING:
        if name == TABLE and content_type.startswith("multipart/"):
            continue
        body = msgspec.json.encode(DOORS[name].body)
        error = error_of(response := send(name, body, content_type))
        assert (response.status_code, error["code"]) == (415, "unsupported_media_type")
        assert "application/json" in error["help"]
    assert snapshot() == before


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON", "application/json ; charset=utf-8"]
)
def test_it_takes_json_however_it_is_called(send, content_type):
    body = msgspec.json.encode(DOORS["POST /api/sales/"].body)

    assert send("POST /api/sales/", body, content_type).status_code == 202


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from leaves(each, (*path, place))
    elif isinstance(value, str):
        yield path


def with_text(value, path, text):
    if not path:
        return text
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_text(value[path[0]], path[1:], text)
    return copy


@pytest.mark.parametrize(
    "text", ["\x00", "A\x00", "A\nB", "A\r", "\x1b[2J", "\x7f", "\x85", "\u2028"]
)
def test_it_refuses_control_characters_in_every_text(send, text):
    before = snapshot()

    for name in READING:
        for path in leaves(DOORS[name].body):
            body = msgspec.json.encode(with_text(DOORS[name].body, path, text))
            response = send(name, body)
            if name in BY_ROW and response.status_code == 200:
                assert response.json()["summary"]["refused"] == 1, path
            elif name == "POST /api/sales/bulk/" and response.status_code == 200:
                assert response.json()["results"][0]["error"]["detail"], path
            else:
                assert error_of(response)["detail"], (name, path)
    kept = {k: v for k, v in snapshot().items() if k in ("sales.Invoice", "outbox.Transmission")}
    assert kept == {k: before[k] for k in kept}


@pytest.mark.parametrize(
    "text", ["\U0001f600" * 1000, "x" * 100_000, "' OR 1=1 --", "{{7*7}}", "%s%n"]
)
def test_it_survives_every_other_text(send, text):
    for name in READING:
        for path in leaves(DOORS[name].body):
            response = send(name, msgspec.json.encode(with_text(DOORS[name].body, path, text)))
            if response.status_code >= 400:
                error_of(response)


NUMBERS = [
    "1e400", "-1e400", '"NaN"', '"sNaN"', '"Infinity"', '"1e1000000"', '"1e-1000000"',
    "-1", "0.001", "1" * 5000, "0." + "1" * 5000, "true", '""', "[]", "{}",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("POST /api/stock/", "quantity"),
        ("POST /api/stock/", "unit_price"),
        ("POST /api/item/sync/", "price"),
        ("POST /api/item/sync/", "rate"),
        ("POST /api/item/sync/", "opening_stock"),
        ("POST /api/device/{serial}/resync-counter/", "last_number"),
    ],
)
def test_it_refuses_numbers_that_are_none(send, name, field):
    inner = next((key for key in ("lines", "items") if key in DOORS[name].body), None)
    marked: dict[str, Any] = {field: "@"}
    if inner:
        marked = {inner: [DOORS[name].body[inner][0] | marked]}
    body = msgspec.json.encode(DOORS[name].body | marked)
    before = snapshot()["outbox.Transmission"]

    for number in NUMBERS:
        response = send(name, body.replace(b'"@"', number.encode()))
        assert len(response.content) < 20_000, number
        if response.status_code == 200:
            assert response.json()["summary"]["refused"] == 1, number
        else:
            assert error_of(response)["detail"], number
    assert snapshot()["outbox.Transmission"] == before


MOST, MOST_GOODS = "9999999999999.99", "99999999999"


@pytest.mark.parametrize(
    ("_case", "name", "inner"),
    [
        ("price times quantity", "POST /api/stock/",
         [{"item": "A-ONLY", "quantity": "99999999", "unit_price": MOST}]),
        ("three lines of one item", "POST /api/stock/",
         [{"item": "A-ONLY", "quantity": MOST_GOODS, "unit_price": "0"}] * 3),
        ("opening stock", "POST /api/item/sync/",
         [DOORS["POST /api/item/sync/"].body["items"][0]
          | {"price": MOST, "opening_stock": MOST_GOODS}]),
    ],
)  # fmt: skip
def test_it_refuses_stock_that_no_message_to_kra_could_hold(send, _case, name, inner):
    body = DOORS[name].body | {"items" if "sync" in name else "lines": inner}
    before = snapshot()["items.StockMovement"]

    response = send(name, msgspec.json.encode(body))

    if response.status_code == 200:
        assert response.json()["summary"]["refused"] == 1
    else:
        assert fields_of(response)
    assert snapshot()["items.StockMovement"] == before


MOMENTS = [
    ("naive", "2026-11-22T10:15:00"),
    ("before all time", "0001-01-01T00:00:00+03:00"),
    ("after all time", "9999-12-31T23:59:59-12:00"),
    ("a word", "tomorrow"),
]


@pytest.mark.parametrize(
    ("_case", "path", "field", "moment"),
    [
        (case, path, field, moment)
        for case, moment in MOMENTS
        for path, field in [("/api/stock/", "occurred_at"), ("/api/tokens/", "expires_at")]
    ],
)
def test_it_refuses_times_that_are_none(send, alpha, _case, path, field, moment):
    name = f"POST {path}"
    late = {"occurred_at": "2099-01-01T00:00:00Z"}
    alpha.shop.post("/api/stock/", STOCK | late)  # KRA is asked for its lists once
    before = snapshot()

    response = send(name, msgspec.json.encode(DOORS[name].body | {field: moment}))

    assert fields_of(response) == [field]
    assert snapshot() == before
    assert alpha.shop.get("/api/stock/movements/").status_code == 200
    assert alpha.shop.get(path).status_code == 200


@pytest.mark.parametrize(
    ("_case", "pin"),
    [
        ("a line break behind", "C000000003C\n"),
        ("digits of another script", "C٠٠٠٠٠٠٠٠٣C"),
        ("small letters", "c000000003c"),
        ("a space", "C000000003C "),
        ("too long", "C0000000003C"),
    ],
)
def test_it_onboards_nobody_without_a_real_pin(send, _case, pin):
    before = snapshot()

    response = send(ONBOARD, msgspec.json.encode(DOORS[ONBOARD].body | {"pin": pin}))

    assert fields_of(response) == ["pin"]
    assert snapshot() == before


SEGMENTS = ["%00", "a%00b", "%0A", "x" * 300, "%F0%9F%98%80", "%20", "..%2F..", "%ff", "a%2F%2Fb"]
NAMED = [name for name in DOORS if any(n in name for n in ("{serial}", "{sku}", "{class_id}"))]


@pytest.mark.parametrize("name", list(NAMED))
def test_it_finds_nothing_under_an_odd_name(alpha, name):
    before = snapshot()
    method, path = name.split()
    body = msgspec.json.encode(DOORS[name].body or {})

    for odd in SEGMENTS:
        here = path.format(serial=odd, sku=odd, class_id=odd)
        headers = alpha.shop.headers()
        response = Client().generic(method, here, body, "application/json", headers=headers)
        assert response.status_code in (400, 404), (here, response.content)
        error_of(response)
    assert snapshot() == before


@pytest.mark.parametrize("key", ["0", "-1", "1.5", "abc", "9" * 19, "9" * 30, "9" * 5000, "%00"])
def test_it_finds_nothing_under_an_odd_id(alpha, platform_token, key):
    before = snapshot()

    operator = {"Authorization": f"Token {platform_token}"}
    for name in (name for name in DOORS if "{id}" in name):
        method, path = name.split()
        response = Client().generic(
            method,
            path.format(id=key, number=9, suffix="txt"),
            msgspec.json.encode(DOORS[name].body or {}),
            "application/json",
            headers=operator if name in OPERATORS else alpha.shop.headers(),
        )
        assert response.status_code == 404, name
        error_of(response)
    assert snapshot() == before
