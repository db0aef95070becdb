import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from core.prefer import prefer, wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 7),
        ("respond-async", 7),
        ("wait=4", 4),
        ("WAIT = 4", 4),
        ('respond-async, wait="4"', 4),
        ("wait=0", 0),
        ("wait=999999999", 30),
        ("wait=-1", 7),
        ("wait=4x", 7),
        ("await=4", 7),
    ],
)
def test_it_reads_how_long_a_caller_waits(header, seconds):
    request = Request(APIRequestFactory().post("/", headers={"Prefer": header}))

    assert wait_seconds(request, default=7) == seconds


def test_it_waits_for_nothing_unless_asked():
    assert wait_seconds(Request(APIRequestFactory().post("/"))) == 0


def test_it_is_documented_as_a_header():
    shown = prefer("look")

    assert (shown.name, shown.location, shown.description) == (
        "Prefer", "header", "`wait=N`: look (RFC 7240).",
    )  # fmt: skip
