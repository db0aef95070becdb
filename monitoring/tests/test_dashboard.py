from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from companies.models import ApiToken, Branch
from monitoring.dashboard import dashboard
from outbox.models import Breaker, Lane, Transmission

pytestmark = pytest.mark.django_db
PATH = "/api/dashboard/"
ZERO = {
    "count": 0, "total": "0.00", "taxable_amount": "0.00", "tax_amount": "0.00", "letters": [],
}  # fmt: skip


def shown(response):
    assert response.status_code == 200, response.content
    return response.json()


def token_of(tenant):
    return ApiToken.objects.get(hash=ApiToken.hash_of(tenant.secret))


def test_it_counts_sales_by_what_became_of_them(get, alpha, sell):
    for status in ("queued", "queued", "unknown", "accepted", "accepted", "accepted", "refused"):
        sell(alpha, status)
    sell(alpha, "cancelled", state="voided")
    sell(alpha, "refused", state="voided")
    sell(alpha, "refused", state="superseded", is_current=False)

    body = shown(get(PATH, alpha))

    assert body["sales"] == {
        "queued": 2, "sending": 0, "unknown": 1, "conflict": 0, "signed": 3, "refused": 1,
        "voided": 2, "superseded": 1,
    }  # fmt: skip


def test_it_tells_the_success_of_24_hours(get, alpha, sell):
    for status in ("accepted", "accepted", "accepted", "refused", "queued"):
        sell(alpha, status)
    old = sell(alpha, "refused").transmission
    Transmission.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(hours=25))

    assert shown(get(PATH, alpha))["last_24_hours"] == {"accepted": 3, "refused": 1, "rate": 0.75}


def test_it_is_empty_without_sales(get, alpha):
    body = shown(get(PATH, alpha))

    assert body["last_24_hours"] == {"accepted": 0, "refused": 0, "rate": None}
    nothing = {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
    assert body["latency_24_hours"] == {"kra": nothing, "to_signature": nothing}
    assert body["today"]["signed"] == {"sales": ZERO, "credit_notes": ZERO}
    assert body["devices"] == {
        "registered": 0, "initialising": 0, "active": 1, "suspended": 0, "refused": 0,
        "restored": 0,
    }  # fmt: skip


def test_its_percentiles_are_exact(get, alpha, beta, make_call, owe):
    now = timezone.now()
    for ms in range(100, 0, -1):
        make_call(alpha, elapsed_ms=ms)
        owe(alpha.lane, "accepted", created_at=now - timedelta(seconds=ms), finished_at=now)
    make_call(alpha, elapsed_ms=9000, started_at=now - timedelta(hours=25))
    make_call(alpha, elapsed_ms=9000, endpoint="item_save")
    make_call(alpha, elapsed_ms=None, finished_at=None, outcome="")
    make_call(beta, elapsed_ms=9000)
    owe(alpha.lane, "refused", created_at=now - timedelta(hours=2))

    latency = shown(get(PATH, alpha))["latency_24_hours"]

    assert latency["kra"] == {"count": 100, "p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
    assert latency["to_signature"] == {
        "count": 100, "p50_ms": 50_000, "p95_ms": 95_000, "p99_ms": 99_000,
    }  # fmt: skip


def test_it_shows_a_lane_with_its_head(get, alpha, owe):
    now = timezone.now()
    accepted = owe(alpha.lane, "accepted")
    Lane.objects.filter(pk=alpha.lane.pk).update(last_number=accepted.number)
    owe(alpha.lane, "unknown", reference="R-HEAD", attempts=2, error_code="read_timeout",
        created_at=now - timedelta(minutes=10), not_before=now - timedelta(minutes=1))  # fmt: skip
    owe(alpha.lane, created_at=now - timedelta(minutes=5))
    Lane.objects.create(device=alpha.device, stream="stock")

    fiscal, stock = shown(get(PATH, alpha))["lanes"]

    assert (fiscal["device"], fiscal["stream"], fiscal["waiting"]) == ("alpha-1", "fiscal", 2)
    assert (fiscal["company"], fiscal["branch"]) == ("A000000001A", "00")
    assert 600 <= fiscal["oldest_waiting_s"] < 610
    assert 60 <= fiscal["oldest_due_s"] < 70
    assert fiscal["blocked"] == "unknown"
    assert fiscal["next_step"].startswith("Wait: KRA is asked")
    assert fiscal["head"]["reference"] == "R-HEAD"
    assert fiscal["head"]["explanation"]["label"] == "No answer in time"
    assert fiscal["last_number"] == accepted.number
    assert fiscal["last_accepted_at"] is not None
    assert (stock["stream"], stock["waiting"], stock["head"]) == ("stock", 0, None)
    assert (stock["blocked"], stock["oldest_waiting_s"]) == ("", None)


@pytest.mark.parametrize(
    ("_case", "lane", "state", "is_open", "head", "blocked"),
    [
        ("it moves", {}, "active", False, {}, ""),
        ("a device is stopped", {}, "refused", True, {}, "device"),
        ("KRA is down", {}, "active", True, {}, "kra_down"),
        ("it starts slowly", {"resume_at": timedelta(minutes=1)}, "active", False, {}, "ramp"),
        ("it has started", {"resume_at": timedelta(minutes=-1)}, "active", False, {}, ""),
        ("a person is needed", {}, "active", False, {"status": "conflict"}, "conflict"),
        ("it tries again", {}, "active", False, {"error_code": "dns_failed"}, "retry"),
    ],
)  # fmt: skip
def test_it_says_what_blocks_a_lane(get, alpha, owe, _case, lane, state, is_open, head, blocked):
    moments = {name: timezone.now() + delta for name, delta in lane.items()}
    Lane.objects.filter(pk=alpha.lane.pk).update(**moments)
    alpha.device.state = state
    alpha.device.save()
    Breaker.objects.create(host="sandbox/direct", is_open=is_open)
    owe(alpha.lane, **head)

    (row,) = shown(get(PATH, alpha))["lanes"]

    assert row["blocked"] == blocked
    assert bool(row["next_step"]) == bool(blocked)


def test_it_shows_the_hosts_of_the_tenant_only(get, alpha, beta):
    beta.company.environment = "production"
    beta.company.save()
    for host in ("sandbox/direct", "production/direct", "sandbox/gavaconnect"):
        Breaker.objects.create(
            host=host, is_open=True, failures=5, opened_at=timezone.now(),
            last_error="connect_timeout: of B000000002B",
        )  # fmt: skip

    response = get(PATH, alpha)

    (host,) = shown(response)["kra_hosts"]
    assert (host["host"], host["is_open"]) == ("sandbox/direct", True)
    assert host["explanation"]["label"] == "KRA does not pick up"
    assert "B000000002B" not in response.content.decode()


def test_a_host_without_a_row_never_failed(get, alpha):
    (host,) = shown(get(PATH, alpha))["kra_hosts"]

    assert (host["host"], host["is_open"], host["explanation"]) == ("sandbox/direct", False, None)


# Nairobi is three hours ahead: its 10 March begins at 21:00 UTC of the 9th.
MIDNIGHT = datetime(2026, 3, 9, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("_case", "now", "day", "total"),
    [
        ("just before", MIDNIGHT - timedelta(seconds=1), "2026-03-09", "116.00"),
        ("just after", MIDNIGHT, "2026-03-10", "232.00"),
        ("its last second", MIDNIGHT + timedelta(hours=23, minutes=59), "2026-03-10", "232.00"),
        ("the day after", MIDNIGHT + timedelta(hours=24), "2026-03-11", "0.00"),
    ],
)
def test_its_day_begins_at_midnight_in_nairobi(alpha, sell, _case, now, day, total):
    sell(alpha, sold_at=MIDNIGHT - timedelta(seconds=1), letters={"B": ("100.00", "16.00")})
    sell(alpha, sold_at=MIDNIGHT, letters={"B": ("200.00", "32.00")})

    today = dashboard(token_of(alpha), now=now).today

    assert today.date.isoformat() == day
    assert today.signed.sales.total == total


def test_it_adds_up_by_letter_kind_and_signature(get, alpha, sell):
    sale = sell(alpha, letters={"A": ("50.00", "0"), "B": ("100.00", "16.00")})
    sell(alpha, letters={"B": ("200.00", "32.00"), "E": ("10.00", "0.80")})
    sell(alpha, kind="credit_note", original=sale, letters={"B": ("10.00", "1.60")})
    sell(alpha, "queued", letters={"C": ("7.00", "0")})
    sell(alpha, "refused", letters={"C": ("3.00", "0")})
    sell(alpha, "refused", state="voided")
    sell(alpha, "cancelled", state="voided")
    sell(alpha, "queued", is_training=True)

    today = shown(get(PATH, alpha))["today"]

    assert today["signed"]["sales"] == {
        "count": 2,
        "total": "408.80",
        "taxable_amount": "360.00",
        "tax_amount": "48.80",
        "letters": [
            {"letter": "A", "taxable_amount": "50.00", "tax_amount": "0.00", "total": "50.00"},
            {"letter": "B", "taxable_amount": "300.00", "tax_amount": "48.00", "total": "348.00"},
            {"letter": "E", "taxable_amount": "10.00", "tax_amount": "0.80", "total": "10.80"},
        ],
    }
    assert today["signed"]["credit_notes"]["count"] == 1
    assert today["signed"]["credit_notes"]["total"] == "11.60"
    assert today["unsigned"]["sales"]["count"] == 2
    assert today["unsigned"]["sales"]["total"] == "10.00"
    assert today["unsigned"]["credit_notes"] == ZERO


def test_beta_sees_nothing_of_alphas(get, alpha, beta, sell, make_call):
    sell(alpha)
    sell(alpha, "queued")
    make_call(alpha)

    response = get(PATH, beta)

    body = shown(response)
    assert sum(body["sales"].values()) == 0
    assert body["last_24_hours"]["accepted"] == 0
    assert body["latency_24_hours"]["kra"]["count"] == 0
    assert [lane["device"] for lane in body["lanes"]] == ["beta-1"]
    assert body["today"]["signed"]["sales"] == body["today"]["unsigned"]["sales"] == ZERO
    assert "lpha" not in response.content.decode()
    assert get(PATH, beta, device="alpha-1").status_code == 404


def test_it_narrows_to_a_device_or_a_branch(get, alpha, open_device, sell):
    second = open_device(alpha.company, "alpha-2", code="01")
    Branch.objects.create(company=alpha.company, code="02", name="No device yet")
    sell(alpha)
    sell(alpha, device=second)
    sell(alpha, device=second)

    assert shown(get(PATH, alpha))["sales"]["signed"] == 3
    assert shown(get(PATH, alpha, device="alpha-1"))["sales"]["signed"] == 1
    by_branch = shown(get(PATH, alpha, branch="01"))
    assert by_branch["sales"]["signed"] == by_branch["today"]["signed"]["sales"]["count"] == 2
    assert shown(get(PATH, alpha, branch="02"))["lanes"] == []
    assert get(PATH, alpha, branch="09").status_code == 404
    assert get(PATH, alpha, device="\x00").status_code == 404


def test_a_bound_token_sees_its_device_only(get, alpha, open_device, sell):
    second = open_device(alpha.company, "alpha-2")
    _, secret = ApiToken.issue(
        name="till", scopes=["reports:read"], company=alpha.company, device=second
    )
    sell(alpha)

    body = shown(get(PATH, secret))

    assert body["sales"]["signed"] == 0
    assert sum(body["devices"].values()) == 1
    assert get(PATH, secret, device="alpha-1").status_code == 404


def test_it_wants_the_scope(client, get, alpha):
    _, secret = ApiToken.issue(name="till", scopes=["sales:write"], company=alpha.company)

    assert client.get(PATH).status_code == 401
    assert get(PATH, secret).status_code == 403


@pytest.mark.parametrize("count", [5, 50])
def test_its_queries_are_constant(
    get, alpha, open_device, sell, owe, make_call, django_assert_num_queries, count
):
    for n in range(count):
        device = open_device(alpha.company, f"till-{n}", code=f"{n:02}")
        sell(alpha, device=device)
        sell(alpha, "unknown", device=device)
        make_call(alpha, device=device)
    get(PATH, alpha)

    with django_assert_num_queries(10):
        body = shown(get(PATH, alpha))

    assert len(body["lanes"]) == count + 1
    assert body["sales"]["signed"] == body["sales"]["unknown"] == count


def test_it_never_reads_a_secret(get, alpha, sell, django_assert_num_queries):
    sell(alpha)
    sell(alpha, "queued")
    get(PATH, alpha)

    with django_assert_num_queries(10) as queries:
        response = get(PATH, alpha)

    assert "never-shown" not in response.content.decode()
    asked = " ".join(query["sql"] for query in queries.captured_queries)
    for column in ('"key"', "init_answer", "consumer_", '"content"', '"body"'):
        assert column not in asked
