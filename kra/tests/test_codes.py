import re

import pytest

from kra import codes
from kra.codes import explain

EVERYTHING = {**codes.RESULT_CODES, **codes.CONDITIONS, **codes.MESSAGES}


def test_no_code_has_two_meanings():
    assert len(EVERYTHING) == len(codes.RESULT_CODES) + len(codes.CONDITIONS) + len(codes.MESSAGES)


@pytest.mark.parametrize("row", EVERYTHING.values(), ids=EVERYTHING)
def test_every_row_helps_a_person(row):
    for text in (row.label, row.cause, row.next, row.sw, row.source):
        assert text
        assert text == text.strip()
    assert len(row.label) <= 40
    assert row.cause.endswith(".")
    assert row.next.endswith(".")
    assert row.sw.endswith(".")
    assert "\n" not in row.sw


@pytest.mark.parametrize("row", codes.MESSAGES.values(), ids=codes.MESSAGES)
def test_every_message_has_a_pattern(row):
    assert row.pattern
    assert re.compile(row.pattern).groups <= 4


def test_it_explains_a_known_code():
    explanation = explain("902", "This device is installed")

    assert explanation.code == "902"
    assert explanation.label == "Device already initialised"
    assert "reset the device" in explanation.next_step
    assert explanation.next_step_sw.startswith("Usirudie")
    assert explanation.source


def test_it_explains_what_the_message_says_when_the_code_is_vague():
    explanation = explain("910", "Request parameter error[<modrId> : may not be empty]")

    assert (explanation.code, explanation.label) == ("910", "Value missing")


def test_it_explains_our_own_words():
    assert explain("stock_too_low").label == "Not enough stock at KRA"
    assert explain("read_timeout").label == "No answer in time"
    assert explain("http_504").label == "KRA did not answer the gateway"


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("http_418", "Refused without a reason"),
        ("http_599", "Unexpected server error"),
        ("http_307", "Redirected"),
        ("http_999", "Fault at the gateway"),
    ],
)
def test_it_explains_a_status_by_its_family(code, label):
    assert (explain(code).code, explain(code).label) == (code, label)


@pytest.mark.parametrize("code", ["777", "", "http_", "http_abc", "__class__"])
def test_it_holds_what_nobody_knows_for_a_person(code):
    explanation = explain(code, "never seen")

    assert explanation.code == code
    assert explanation.label == "Unknown code"
    assert "person" in explanation.next_step


def test_it_does_not_explain_success_away():
    assert explain("000", "Stock IO is empty").label == "Accepted"


def test_it_reads_only_numbers_that_can_be_meant():
    match = codes.match_message(f"Invalid sarNo: Expected: {'9' * 30} but found: 1")

    assert match is None


def test_it_takes_no_notice_of_case_and_margin():
    match = codes.match_message("  invalid INVCNO sequence, expected: 7 but found: 9\n")

    assert match is not None
    assert match.expected_number == 7
