"""Requests per token are limited by Redis, and selling goes on without it."""

import ipaddress
import time
import uuid

import pytest
from limits import RateLimitItemPerHour
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from companies.throttling import TokenThrottle

pytestmark = pytest.mark.django_db
URL = "/api/branches/"


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch):
    """Two requests an hour, counted under keys of this test's own."""
    two = RateLimitItemPerHour(2, namespace=str(uuid.uuid4()))
    monkeypatch.setattr(TokenThrottle, "limit", two)
    monkeypatch.setattr(TokenThrottle, "limiter", None)
    monkeypatch.setattr(TokenThrottle, "broken_until", 0.0)


def test_it_refuses_what_exceeds_the_limit(api, alpha):
    client = api(alpha)

    statuses = [client.get(URL).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_it_tells_when_to_come_back_in_the_one_error_shape(api, alpha):
    client = api(alpha)
    client.get(URL), client.get(URL)

    response = client.get(URL)

    assert 0 < int(response["Retry-After"]) <= 3601
    error = response.json()["error"]
    assert set(error) == {"code", "message", "detail", "help"}
    assert error["code"] == "throttled"
    assert "Retry-After" in error["help"]


def test_every_token_has_a_limit_of_its_own(api, alpha):
    first, second = api(alpha), api(alpha)
    for _ in range(3):
        first.get(URL)

    assert second.get(URL).status_code == 200


def guess(client, address, **headers):
    """A wrong token from an address."""
    wrong = {"Authorization": f"Token etims_{uuid.uuid4().hex}"}
    return client.get(URL, headers=wrong | headers, REMOTE_ADDR=address)


@pytest.fixture
def address(settings):
    """One that no other run has guessed from."""
    settings.API_WRONG_TOKEN_LIMIT = "3/hour"
    return str(ipaddress.IPv6Address(uuid.uuid4().int))


def test_who_guesses_tokens_is_held_up_and_who_knows_one_is_not(client, api, alpha, address):
    statuses = [guess(client, address).status_code for _ in range(5)]

    assert statuses == [401, 401, 401, 429, 429]
    assert guess(client, address).json()["error"]["code"] == "throttled"
    assert api(alpha).get(URL, REMOTE_ADDR=address).status_code == 200


def test_an_address_is_not_believed_what_it_says_about_itself(client, db, address):
    says = [{"X-Forwarded-For": f"10.0.0.{n}"} for n in range(4)]

    statuses = [guess(client, address, **each).status_code for each in says]

    assert statuses == [401, 401, 401, 429]


def dead_redis():
    options = {"socket_connect_timeout": 0.3, "socket_timeout": 0.5}
    return FixedWindowRateLimiter(storage_from_string("redis://127.0.0.1:9/0", **options))


def test_selling_goes_on_without_redis(api, alpha, monkeypatch):
    monkeypatch.setattr(TokenThrottle, "limiter", dead_redis())
    client = api(alpha)
    started = time.monotonic()

    statuses = {client.get(URL).status_code for _ in range(20)}

    assert statuses == {200}
    assert time.monotonic() - started < 5
    assert TokenThrottle.broken_until > time.monotonic()


def test_the_limit_returns_with_redis(api, alpha, monkeypatch):
    monkeypatch.setattr(TokenThrottle, "limiter", dead_redis())
    client = api(alpha)
    client.get(URL)

    monkeypatch.setattr(TokenThrottle, "limiter", None)
    monkeypatch.setattr(TokenThrottle, "broken_until", 0.0)

    assert [client.get(URL).status_code for _ in range(3)] == [200, 200, 429]


def test_redis_may_die_between_the_count_and_the_answer(api, alpha, monkeypatch):
    client = api(alpha)
    client.get(URL), client.get(URL)
    working, dead = TokenThrottle._limiter(), dead_redis()
    monkeypatch.setattr(dead, "hit", working.hit)
    monkeypatch.setattr(TokenThrottle, "limiter", dead)

    response = client.get(URL)

    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
