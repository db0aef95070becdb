"""Every code, every gateway message, every HTTP condition: which error, hence which next step."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kra import codes
from kra.answers import read
from kra.client import Answer
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable
from kra.profiles import ENDPOINTS

REPLY, EMPTY = "reply", "empty"

RESULT_CODES = [
    ("000", REPLY, REPLY),
    ("0", REPLY, REPLY),
    ("00", REPLY, REPLY),
    ("0000", REPLY, REPLY),
    ("001", Rejected, EMPTY),
    ("881", Rejected, Rejected),
    ("882", Rejected, Rejected),
    ("883", Rejected, Rejected),
    ("884", Rejected, Rejected),
    ("891", Rejected, Rejected),
    ("892", Rejected, Rejected),
    ("893", Rejected, Rejected),
    ("894", OutcomeUnknown, Unavailable),
    ("895", Rejected, Rejected),
    ("896", OutcomeUnknown, Unavailable),
    ("899", OutcomeUnknown, Unavailable),
    ("900", DeviceRefused, DeviceRefused),
    ("901", DeviceRefused, DeviceRefused),
    ("902", DeviceRefused, DeviceRefused),
    ("903", DeviceRefused, DeviceRefused),
    ("905", DeviceRefused, DeviceRefused),
    ("910", Rejected, Rejected),
    ("911", Rejected, Rejected),
    ("912", Rejected, Rejected),
    ("913", Rejected, Rejected),
    ("921", Rejected, Rejected),
    ("922", Rejected, Rejected),
    ("990", Unavailable, Unavailable),
    ("991", OutcomeUnknown, Unavailable),
    ("992", Unavailable, Unavailable),
    ("993", Unavailable, Unavailable),
    ("994", OutcomeUnknown, Rejected),
    ("995", Rejected, EMPTY),
    ("999", OutcomeUnknown, Unavailable),
    ("500", OutcomeUnknown, Unavailable),
    ("E04", DeviceRefused, DeviceRefused),
    ("E11", DeviceRefused, DeviceRefused),
    ("E31", Rejected, Rejected),
]

MESSAGES = [
    ("invoice_sequence", "Invalid invcNo sequence, expected: 7 but found: 9", 7),
    ("invoice_number", "Invc No: 8 is invalid, use the expected value: 9", 9),
    ("stock_sequence", "Invalid sarNo: Expected: 10 but found: 15", 10),
    ("item_sequence", "Invalid itemCd Sequence. Expected sequence ending with: ********12", 12),
    ("item_unit", "The ItemCd isn't made up of correct QtyUnitCd", None),
    ("item_unit", "Incorrect QtyUnitCd Prefix", None),
    ("package_unit", "Package unit code can ony be among the following list [AM, BA]", None),
    ("item_origin", "orgnNatCd cannot be null", None),
    ("item_class", "Ensure you use a valid item classification code from the list", None),
    ("item_type", "You cannot create an service using an item", None),
    (
        "classes_not_read",
        "Make 'Get Item Classification List' request before performing StockIo",
        None,
    ),
    (
        "items_not_saved",
        "The Items provided under the itemList section do not exist in your stock",
        None,
    ),
    ("item_not_in_stock", "Item KE1 (itemSeq 1) does not exist in your stock master", None),
    ("purchase_item_unknown", "Item KE1 (seq 1) does not exist in your inventory, add it", None),
    ("stock_too_low", "You dont have sufficient stock for this Transaction", None),
    ("stock_movement_missing", "Stock IO is empty, consider adding items", None),
    ("stock_balance", "rsdQty mismatch. Expected: 8.0 but found: 10", None),
    ("registration_type_missing", "regTyCd cannot be null", None),
    (
        "member_missing",
        "Expected a value for totAmt on item: 1 but it is empty or null",
        None,
    ),
    (
        "amount_mismatch",
        "Invalid taxblAmt on item: 1. Expected: 86.21, But Found: 100.00",
        None,
    ),
    (
        "amount_mismatch",
        "Invalid splyAmnt on item: 1. Expected: 1302.07, But Found: 1122.00",
        None,
    ),
    (
        "rate_mismatch",
        "Rule taxRtE failed: Tax rate mismatch. Expected: 0.00, Found: 8",
        None,
    ),
    ("package_count", "Invalid pkg for ItemList 1. Expected: 1, Found: 2", None),
    ("original_unknown", "orgInvcNo does not exist", None),
    ("refund_date_missing", "Missing RfdDt Date", None),
    ("refund_reason", "Invalid RfdRsnCd", None),
    ("buyer_name_differs", "The custNm does not match the original invoice", None),
    ("supplier_invoice_unknown", "Supplier invoice number 77 does not exist", None),
    ("supplier_name_differs", "spplrNm X does not match the expected value", None),
    ("customer_pin_missing", "custTin cannot be empty or Null", None),
    ("identity_missing", "tin cannot be Null", None),
    ("value_missing", "Request parameter error[<modrId> : may not be empty]", None),
    ("app_id_missing", "Invalid Headers apigee_app_id / cannot be Null", None),
    (
        "branch_header_wrong",
        "Error occurred while validating item tax type: Please try again later",
        None,
    ),
    ("device_not_unique", "Query did not return a unique result: 4 results", None),
    ("test_session_closed", "could not execute TestSessionApiLog", None),
]

SPECIAL = {  # every other message is this message's own fault
    "invoice_sequence": (OutcomeUnknown, Rejected),
    "invoice_number": (OutcomeUnknown, Rejected),
    "stock_sequence": (OutcomeUnknown, Rejected),
    "device_not_unique": (DeviceRefused, DeviceRefused),
    # The set-up is wrong, so every message would be refused: stop the device, not sale after sale.
    "identity_missing": (DeviceRefused, DeviceRefused),
    "app_id_missing": (DeviceRefused, DeviceRefused),
    "branch_header_wrong": (DeviceRefused, DeviceRefused),
    "test_session_closed": (DeviceRefused, DeviceRefused),
}

NOT_UNIQUE = "Query did not return a unique result: 2 results"
ITEM_SEQUENCE = "Invalid itemCd Sequence. Expected sequence ending with: ***7"
PAGE = b"<html>maintenance</html>"
FAULT = b'{"fault":{"faultstring":"Something broke"}}'

CONDITIONS = [
    ("forbidden", 403, PAGE, "http_403", DeviceRefused, DeviceRefused),
    ("no such path", 404, PAGE, "http_404", DeviceRefused, DeviceRefused),
    ("no such path, in JSON", 404, b'{"error":"x"}', "http_404", DeviceRefused, DeviceRefused),
    ("timeout", 408, b"", "http_408", OutcomeUnknown, Unavailable),
    ("throttled", 429, b"", "http_429", Unavailable, Unavailable),
    ("throttled by a fault", 429, FAULT, "http_429", Unavailable, Unavailable),
    ("broken", 500, PAGE, "http_500", OutcomeUnknown, Unavailable),
    ("bad gateway", 502, PAGE, "http_502", OutcomeUnknown, Unavailable),
    ("unavailable", 503, b"", "http_503", OutcomeUnknown, Unavailable),
    ("gateway timeout", 504, PAGE, "http_504", OutcomeUnknown, Unavailable),
    ("a status of its own", 509, PAGE, "http_509", OutcomeUnknown, Unavailable),
    ("a teapot", 418, PAGE, "http_418", OutcomeUnknown, Rejected),
    ("bad request without a reason", 400, PAGE, "http_400", OutcomeUnknown, Rejected),
    ("redirect", 302, b"", "http_302", OutcomeUnknown, Unavailable),
    ("no status at all", 999, PAGE, "http_999", OutcomeUnknown, Unavailable),
    ("unauthorised", 401, PAGE, "token_refused", Unavailable, Unavailable),
    (
        "expired token",
        401,
        b'{"fault":{"faultstring":"access token expired"}}',
        "token_refused",
        Unavailable,
        Unavailable,
    ),
    (
        "expired token, plain fault",
        200,
        b'{"fault":"Invalid Access Token"}',
        "token_refused",
        Unavailable,
        Unavailable,
    ),
    (
        "unauthorised in the header",
        200,
        b'{"header":{"responseCode":"401","customerMessage":"Invalid Access Token"},"body":{}}',
        "token_refused",
        Unavailable,
        Unavailable,
    ),
    (
        "back end lost, in the header",
        200,
        b'{"header":{"responseCode":504,"responseMessage":"Timeout"}}',
        "http_504",
        OutcomeUnknown,
        Unavailable,
    ),
    (
        "back end lost, in the response header",
        200,
        b'{"responseHeader":{"responseCode":503},"responseBody":null}',
        "http_503",
        OutcomeUnknown,
        Unavailable,
    ),
    (
        "refusal behind a lost back end",
        504,
        b'{"responseHeader":{"responseCode":400,"customerMessage":"?"},"responseBody":null}',
        "http_504",
        OutcomeUnknown,
        Unavailable,
    ),
    (
        "throttled by the response header",
        200,
        b'{"responseHeader":{"responseCode":429},"responseBody":null}',
        "http_429",
        Unavailable,
        Unavailable,
    ),
    (
        "refusal in words nobody knows",
        200,
        b'{"responseHeader":{"responseCode":400,"debugMessage":"No."},"responseBody":null}',
        "refused_by_gateway",
        Rejected,
        Rejected,
    ),
    (
        "refusal with an empty body member",
        400,
        b'{"responseHeader":{"responseCode":422},"responseBody":{}}',
        "refused_by_gateway",
        Rejected,
        Rejected,
    ),
    ("fault", 200, FAULT, "gateway_fault", OutcomeUnknown, Unavailable),
    ("page", 200, PAGE, "not_json", OutcomeUnknown, Unavailable),
    ("cut JSON", 200, b'{"resultCd":"000"', "not_json", OutcomeUnknown, Unavailable),
    ("nested without end", 200, b"[" * 100_000, "not_json", OutcomeUnknown, Unavailable),
    ("endless number", 200, b"1%s" % (b"0" * 5000), "not_json", OutcomeUnknown, Unavailable),
    ("empty", 200, b"", "empty_body", OutcomeUnknown, Unavailable),
    ("spaces", 204, b" \n", "empty_body", OutcomeUnknown, Unavailable),
    ("not an object", 200, b'["000"]', "no_result_code", OutcomeUnknown, Unavailable),
    ("no code", 200, b'{"data":{}}', "no_result_code", OutcomeUnknown, Unavailable),
    ("null code", 200, b'{"resultCd":null}', "no_result_code", OutcomeUnknown, Unavailable),
    (
        "success of the gateway only",
        200,
        b'{"responseHeader":{"responseCode":200},"responseBody":null}',
        "no_result_code",
        OutcomeUnknown,
        Unavailable,
    ),
    ("unknown code", 200, b'{"resultCd":"777"}', "777", OutcomeUnknown, Rejected),
    ("a code that is a text", 200, b'{"resultCd":"%s"}' % (b"x" * 99), "x" * 20,
     OutcomeUnknown, Rejected),
]  # fmt: skip


def envelope(code, message="", data=None):
    return {"resultCd": code, "resultMsg": message, "resultDt": "20261005101500", "data": data}


def refusal(message, code=400):
    header = {"responseCode": code, "customerMessage": message, "debugMessage": message}
    return {"responseHeader": header, "responseBody": None}


def answer(document, status=200, **more):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status, body, 5, "application/json", **more)


def outcome(endpoint_id, answer):
    try:
        reply = read(endpoint_id, answer)
    except KRAError as exc:
        return type(exc), exc
    return EMPTY if reply.is_empty else REPLY, reply


@pytest.mark.parametrize(("code", "fiscal", "other"), RESULT_CODES)
@pytest.mark.parametrize("wrap", [False, True], ids=["direct", "gateway"])
def test_it_classifies_every_result_code(code, fiscal, other, wrap):
    document = envelope(code, "words", data={"some": "data"})
    if wrap:
        document = {"responseHeader": {"responseCode": 200}, "responseBody": document}

    for endpoint_id, expected in (("purchase_save", fiscal), ("code_list", other)):
        kind, thing = outcome(endpoint_id, answer(document))

        assert kind == expected
        assert (thing.code, thing.message) == (code, "words")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_verdict_of_the_back_end_counts_whatever_the_http_status(status):
    body = {"responseHeader": {"responseCode": 400}, "responseBody": envelope("001")}

    assert outcome("code_list", answer(body, status))[0] == EMPTY


@pytest.mark.parametrize("endpoint_id", sorted(ENDPOINTS))
def test_it_looks_at_the_kind_of_the_call(endpoint_id):
    is_fiscal = endpoint_id in ("sales_save", "purchase_save", "stock_io_save", "item_save")

    kind, _ = outcome(endpoint_id, answer(envelope("999")))

    assert kind is (OutcomeUnknown if is_fiscal else Unavailable)


@pytest.mark.parametrize(("code", "message", "expected"), MESSAGES)
@pytest.mark.parametrize("status", [200, 400])
def test_it_classifies_every_gateway_message(code, message, expected, status):
    fiscal, other = SPECIAL.get(code, (Rejected, Rejected))

    for endpoint_id, wanted in (("sales_save", fiscal), ("stock_master_save", other)):
        kind, error = outcome(endpoint_id, answer(refusal(message), status))

        assert kind is wanted
        assert (error.code, error.message) == (code, message)
        assert error.expected_number == expected
        assert error.http_status == status


def test_every_message_and_code_has_its_case():
    assert {code for code, _, _ in MESSAGES} == set(codes.MESSAGES)
    assert {code for code, _, _ in RESULT_CODES} == set(codes.RESULT_CODES)


@pytest.mark.parametrize(
    ("_case", "code", "message", "fiscal", "expected"),
    [
        ("out of step", "910", "Invalid sarNo: Expected: 3 but found: 4", OutcomeUnknown, 3),
        ("not unique", "999", NOT_UNIQUE, DeviceRefused, None),
        ("a plain fault", "910", "Missing RfdDt Date", Rejected, None),
        ("words never soften a code", "999", "Missing RfdDt Date", OutcomeUnknown, None),
        ("item code", "910", ITEM_SEQUENCE, Rejected, 7),
    ],
)  # fmt: skip
def test_words_may_add_a_doubt_to_a_code(_case, code, message, fiscal, expected):
    kind, error = outcome("stock_io_save", answer(envelope(code, message)))

    assert kind is fiscal
    assert (error.code, error.expected_number) == (code, expected)


@pytest.mark.parametrize(("_case", "status", "body", "code", "fiscal", "other"), CONDITIONS)
def test_it_classifies_what_is_no_verdict(_case, status, body, code, fiscal, other):
    for endpoint_id, wanted in (("sales_save", fiscal), ("item_list", other)):
        kind, error = outcome(endpoint_id, answer(body, status))

        assert kind is wanted
        assert error.code == code
        assert error.message
        assert error.http_status == status


@pytest.mark.parametrize(
    ("_case", "body", "status", "header", "seconds"),
    [
        ("throttled by KRA", envelope("990"), 200, None, 60.0),
        ("throttled by the gateway", b"", 429, None, 60.0),
        ("told how long", b"", 429, 7.0, 7.0),
        ("told not to wait", b"", 429, 0.0, 0.0),
        ("down, told how long", b"", 503, 30.0, 30.0),
        ("down", b"", 503, None, None),
    ],
)
def test_it_says_how_long_to_wait(_case, body, status, header, seconds):
    _, error = outcome("code_list", answer(body, status, retry_after=header))

    assert error.retry_after == seconds


SIGNED = {
    "curRcptNo": 3,
    "totRcptNo": 4,
    "intrlData": "ABCDEFGHIJKLMNOPQRSTUVWX23",
    "rcptSign": "ABCDEFGH234567QR",
    "sdcDateTime": "20261005101501",
}


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("value", [None, "", " ", "?"])
def test_a_sale_without_a_readable_signature_is_not_signed(name, value):
    if value == "?" and name in ("intrlData", "rcptSign"):
        value = None  # any text will do for these
    data = {**SIGNED, name: value}

    kind, error = outcome("sales_save", answer(envelope("000", data=data)))

    assert kind is OutcomeUnknown
    assert (error.code, error.http_status) == ("incomplete_answer", 200)


@pytest.mark.parametrize("data", [None, [], "signed", {}, [SIGNED]])
def test_a_sale_without_data_is_not_signed(data):
    kind, error = outcome("sales_save", answer(envelope("0000", data=data)))

    assert (kind, error.code) == (OutcomeUnknown, "incomplete_answer")


@pytest.mark.parametrize("data", [None, {}, {"info": None}, {"info": {"tin": "A", "cmcKey": ""}}])
def test_an_initialisation_without_a_key_is_incomplete(data):
    kind, error = outcome("init", answer(envelope("000", data=data)))

    assert (kind, error.code) == (OutcomeUnknown, "incomplete_answer")


@pytest.mark.parametrize("code", ["000", "0"])
def test_a_list_without_data_is_no_empty_list(code):
    kind, error = outcome("invoice_details", answer(envelope(code)))

    assert (kind, error.code) == (Unavailable, "incomplete_answer")


@pytest.mark.parametrize("endpoint_id", ["item_save", "stock_io_save", "branch_user_save"])
@pytest.mark.parametrize("data", [None, [], "ok"])
def test_a_write_needs_no_data(endpoint_id, data):
    reply = read(endpoint_id, answer(envelope("000", data=data)))

    assert reply.data is None
    assert not reply.is_empty


def test_it_strips_keys_and_keeps_cents():
    body = b"""\xef\xbb\xbf{" resultCd ": 0, "resultDt": "2026-10-05 10:15:00.0",
               "data": {"clsList ": [{" a": 0.1, "b ": 123456789012345678.91}]}}"""

    reply = read("code_list", answer(body))

    assert reply.code == "0"
    assert reply.result_at == datetime(2026, 10, 5, 7, 15, tzinfo=UTC)
    assert reply.data == {"clsList": [{"a": Decimal("0.1"), "b": Decimal("123456789012345678.91")}]}


@pytest.mark.parametrize("text", ["", "yesterday", "20261305101500", "00010101000000"])
def test_it_lives_without_kras_clock(text):
    reply = read("item_save", answer({"resultCd": "000", "resultDt": text}))

    assert reply.result_at is None


def test_it_cuts_endless_messages():
    _, error = outcome("item_save", answer(envelope("910", "x" * 5000)))

    assert len(error.message) == 1000


def test_it_reads_every_published_example(examples):
    assert set(examples) == set(ENDPOINTS)
    for endpoint_id, cases in examples.items():
        for case in cases["answers"]:
            kind, thing = outcome(endpoint_id, answer(case["body"], case["status"]))

            inner = case["body"].get("responseBody", case["body"])
            code = (inner or {}).get("resultCd")
            assert (kind in (REPLY, EMPTY)) == (code in ("000", "001"))
            assert thing.code == code or code is None
