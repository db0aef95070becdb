"""The request id: given back when it is safe, made when it is not, in every log line."""

import logging

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from core.context import request_id
from core.logs import ContextFilter
from core.middleware import RequestIdMiddleware

pytestmark = pytest.mark.urls("core.tests.urls")


def answer_to(given):
    """The id an answer carries, and the one its view saw."""
    seen = []

    def view(request):
        seen.append(request_id.get())
        return HttpResponse()

    headers = {"X-Request-ID": given} if given is not None else {}
    response = RequestIdMiddleware(view)(RequestFactory().get("/", headers=headers))
    return response["X-Request-ID"], seen[0]


@pytest.mark.parametrize("given", ["a", "POS-1:2026.11_22", "x" * 64])
def test_it_gives_a_safe_id_back(given):
    assert answer_to(given) == (given, given)


@pytest.mark.parametrize(
    ("_case", "given"),
    [
        ("none", None),
        ("empty", ""),
        ("too long", "x" * 65),
        ("space", "a b"),
        ("quote", 'a"b'),
        ("markup", "<script>"),
        ("new line", "a\nSet-Cookie: b"),
        ("new line at the end", "abc\n"),
        ("not ASCII", "ä"),
    ],
)
def test_it_makes_an_id_of_its_own(_case, given):
    answered, seen = answer_to(given)

    assert answered == seen
    assert len(answered) == 32
    assert int(answered, 16)


def test_two_requests_without_an_id_get_different_ones():
    assert answer_to(None) != answer_to(None)


def test_it_keeps_the_id_for_what_django_logs_afterwards():
    answer_to("a")

    assert request_id.get() == "a"


def test_an_unexpected_error_carries_and_logs_the_id(caplog):
    client = Client(raise_request_exception=False, headers={"X-Request-ID": "till-7"})
    caplog.handler.addFilter(ContextFilter())

    response = client.get("/fail/unexpected/")

    assert response.status_code == 500
    assert response["X-Request-ID"] == "till-7"
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.request_id == "till-7"
