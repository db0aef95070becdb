"""One machine's access: stored as a hash, checked at each request, over when it is revoked."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from companies.authentication import TokenAuthentication
from companies.models import ApiToken, Company, Scope

pytestmark = pytest.mark.django_db
BRANCHES = "/api/branches/"


def test_only_a_hash_is_stored(issue, alpha):
    token, secret = issue(alpha)

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(t)::text FROM companies_apitoken t")
        stored = cursor.fetchone()[0]

    assert re.fullmatch(r"etims_[\w-]{43}", secret)
    assert secret not in stored
    assert secret[13:] not in stored
    assert token.hash == ApiToken.hash_of(secret)


def test_two_tokens_are_never_alike(issue, alpha):
    assert issue(alpha)[1] != issue(alpha)[1]


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer"])
def test_it_lets_a_token_in(client, issue, alpha, scheme):
    _, secret = issue(alpha)

    response = client.get(BRANCHES, headers={"Authorization": f"{scheme} {secret}"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("_case", "header", "code"),
    [
        ("none", "", "not_authenticated"),
        ("unknown", "Token etims_unknown", "authentication_failed"),
        ("empty", "Token", "authentication_failed"),
        ("not ASCII", "Token ünknöwn", "authentication_failed"),
        ("other scheme", "Basic YTpi", "not_authenticated"),
    ],
)
def test_it_turns_others_away(client, db, _case, header, code):
    response = client.get(BRANCHES, headers={"Authorization": header} if header else {})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response.json()["error"]["code"] == code
    assert "Authorization: Token" in response.json()["error"]["help"]


def test_a_token_ends_on_time(api, alpha):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        client = api(alpha, expires_at=now + timedelta(hours=1))
        assert client.get(BRANCHES).status_code == 200

        clock.shift(timedelta(hours=1))

        # Even from the cache, which knows when the token ends.
        assert client.get(BRANCHES).status_code == 401


def let_pass(seconds):
    """The cache reads the monotonic clock, which cannot be turned."""
    cache = TokenAuthentication.cache
    cache.update({digest: (until - seconds, token) for digest, (until, token) in cache.items()})


def test_a_revoked_token_stops_within_the_cache_time(issue, client_of, alpha, settings):
    settings.API_TOKEN_CACHE_SECONDS = 1000.0
    token, secret = issue(alpha)
    client = client_of(secret)
    assert client.get(BRANCHES).status_code == 200
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())

    let_pass(990)
    assert client.get(BRANCHES).status_code == 200  # the price of the cache
    let_pass(10)
    assert client.get(BRANCHES).status_code == 401


def test_a_company_that_is_switched_off_is_out(api, alpha, settings):
    settings.API_TOKEN_CACHE_SECONDS = 0.0
    client, operator = api(alpha), api()
    assert client.get(BRANCHES).status_code == 200

    Company.objects.update(is_active=False)

    assert client.get(BRANCHES).status_code == 401
    assert operator.get("/api/companies/").status_code == 200


def test_a_change_of_the_company_is_seen_behind_a_token_that_did_not_change(api, alpha, settings):
    settings.API_TOKEN_CACHE_SECONDS = 0.0
    client = api(alpha)
    assert client.get(BRANCHES).status_code == 200

    with transaction.atomic():  # one of its own, as in another process
        Company.objects.filter(pk=alpha.pk).update(trade_name="Mpya")

    assert client.get(BRANCHES).status_code == 200
    ((_, token),) = TokenAuthentication.cache.values()
    assert token.company is not None
    assert token.company.trade_name == "Mpya"


def test_the_cache_does_not_grow_for_ever(api, alpha):
    far = 10.0**12
    TokenAuthentication.cache.update({str(n): (far, ApiToken()) for n in range(10_001)})

    assert api(alpha).get(BRANCHES).status_code == 200

    assert len(TokenAuthentication.cache) == 1


def test_it_asks_the_database_once_per_cache_time(api, alpha, django_assert_num_queries):
    client = api(alpha)
    client.get(BRANCHES)

    with django_assert_num_queries(1):
        client.get(BRANCHES)


def test_it_notes_the_last_use_at_most_once_a_minute(issue, client_of, alpha, settings):
    settings.API_TOKEN_CACHE_SECONDS = 0.0
    token, secret = issue(alpha)
    client, start = client_of(secret), timezone.now()
    noted = []
    with time_machine.travel(start, tick=False) as clock:
        for seconds in (0, 59, 2):
            clock.shift(seconds)
            client.get(BRANCHES)
            token.refresh_from_db()
            noted.append((token.last_used_at - start).total_seconds())

    assert noted == [0.0, 0.0, 61.0]


def test_a_token_knows_its_state(issue, alpha):
    now = timezone.now()

    past, future = now - timedelta(seconds=1), now + timedelta(hours=1)
    assert issue(alpha)[0].state == "active"
    assert issue(alpha, expires_at=future)[0].state == "active"
    assert issue(alpha, expires_at=past)[0].state == "expired"
    assert ApiToken(revoked_at=past, expires_at=past).state == "revoked"


def test_a_token_belongs_to_a_company_or_to_the_operator(issue, db):
    with pytest.raises(IntegrityError), transaction.atomic():
        issue(None, scopes=[Scope.SALES_READ.value])


def test_a_company_cannot_be_an_operator(issue, alpha):
    token, _ = issue(alpha, scopes=[Scope.PLATFORM.value])

    assert not token.is_platform


def test_a_command_makes_the_operators_token(client, capsys, db):
    call_command("create_platform_token", name="ops")

    secret = capsys.readouterr().out.strip()
    assert ApiToken.objects.get().name == "ops"
    response = client.get("/api/companies/", headers={"Authorization": f"Token {secret}"})
    assert response.status_code == 200
