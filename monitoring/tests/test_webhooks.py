"""Endpoints and their deliveries: schedule, rotation, replay, TLS, and the samples we publish."""

import json
import re
import shutil
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from kra.tests.test_tls import certificate  # noqa: F401
from monitoring.models import Delivery, Endpoint, Event
from monitoring.webhooks import addresses, delivery, schedule, sending
from monitoring.webhooks.recording import record

from .receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://pos.test/hook"
PAGE = Path(__file__).parents[2] / "docs/webhooks.md"


@pytest.fixture
def receiver(settings):
    made = Receiver()
    settings.WEBHOOK_PORTS = [made.port, 443]
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    yield made
    made.stop()


@pytest.fixture
def send(client, alpha):
    def send(method, path, body=None):
        headers = {"Authorization": f"Token {alpha.secret}"}
        text = json.dumps({} if body is None else body)
        return client.generic(method, path, text, "application/json", headers=headers)

    return send


@pytest.fixture
def hook(send):
    def build(url=URL, **more):
        response = send("POST", "/api/webhooks/", {"url": url, "events": ["device.state"]} | more)
        assert response.status_code == 201, response.content
        return response.json()

    return build


def happen(tenant):
    record("device.state", tenant.device.pk, {})


def turn(made):
    return delivery.turn(made["id"], until=time.monotonic() + 5)


def test_the_secret_is_shown_once_and_stored_encrypted(hook, get, alpha):
    made = hook()

    assert made["secret"].startswith("whsec_")
    shown = get(f"/api/webhooks/{made['id']}/", alpha)
    assert shown.json()["secret"] is None
    assert made["secret"] not in shown.content.decode()
    assert Endpoint.objects.filter(secret=made["secret"]).count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://pos.test/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["sale.signd"]}, "events[0]"),
        ({"description": "x" * 201}, "description"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_it_names_what_is_wrong(send, body, field):
    given = {"url": URL, "events": ["sale.signed"]} | body

    response = send("POST", "/api/webhooks/", given)

    assert response.status_code == 400
    (problem,) = response.json()["error"]["detail"]
    assert problem["field"] == field
    assert problem["next_step"]
    assert not Endpoint.objects.exists()


def test_there_are_so_many_and_no_more(hook, send, settings):
    settings.WEBHOOK_MAX_PER_COMPANY = 2
    hook()
    made = hook()

    full = send("POST", "/api/webhooks/", {"url": URL, "events": ["device.state"]})
    assert (full.status_code, full.json()["error"]["code"]) == (409, "too_many_webhooks")

    assert send("DELETE", f"/api/webhooks/{made['id']}/").status_code == 204
    hook()
    assert send("GET", f"/api/webhooks/{made['id']}/").status_code == 404


def test_only_who_wants_it_is_told(hook, send, alpha, beta, open_device):
    other = open_device(alpha.company, "alpha-2")
    wanted = hook()
    hook(events=["sale.signed"])
    hook(device="alpha-2")
    off = hook()
    send("PATCH", f"/api/webhooks/{off['id']}/", {"is_active": False})

    happen(beta)
    happen(alpha)
    assert list(Delivery.objects.values_list("endpoint", flat=True)) == [wanted["id"]]
    record("device.state", other.pk, {})
    assert Delivery.objects.count() == 3


def test_both_secrets_sign_while_one_takes_over(hook, send, receiver, alpha):
    made = hook(receiver.url)
    renewed = send("POST", f"/api/webhooks/{made['id']}/rotate-secret/").json()
    happen(alpha)
    turn(made)

    assert len(receiver.verified(made["secret"])) == 1
    assert len(receiver.verified(renewed["secret"])) == 1
    Endpoint.objects.update(previous_until=timezone.now())
    receiver.requests.clear()
    happen(alpha)
    turn(made)
    assert len(receiver.verified(renewed["secret"])) == 1
    ((headers, _),) = receiver.requests
    assert " " not in headers["webhook-signature"]


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_told(hook, receiver, alpha, status):
    receiver.answers = [(status, {"Retry-After": "120"}, b"")]
    made = hook(receiver.url)
    for _ in range(3):
        happen(alpha)

    turn(made)

    assert len(receiver.requests) == 1
    resume_at = Endpoint.objects.get().resume_at
    assert resume_at is not None
    wait_s = (resume_at - timezone.now()).total_seconds()
    assert 110 < wait_s < 150
    assert delivery.choose([]) == []


def test_a_retry_after_of_a_year_is_not_believed():
    now = timezone.now()

    wait_s = (schedule.rest(1, now, 31_536_000.0) - now).total_seconds()

    assert wait_s <= 1.2 * schedule.LONGEST_RETRY_AFTER


def test_it_gives_up_after_three_days(hook, receiver, alpha):
    receiver.answers = [(500, {}, b"broken")]
    made = hook(receiver.url)
    happen(alpha)
    Delivery.objects.update(due_since=timezone.now() - timedelta(hours=73))

    turn(made)

    row = Delivery.objects.get()
    assert (row.state, row.last_status, row.last_answer) == ("failed", 500, "broken")


def test_the_waits_add_up_to_three_days():
    since = now = timezone.now()
    tries = 0
    while not schedule.is_given_up(since, now):
        now = schedule.next_attempt(since, now)
        tries += 1

    assert 12 < tries < 30


def test_it_disables_what_failed_for_days_and_comes_back_by_hand(hook, send, receiver, alpha):
    receiver.answers = [(500, {}, b"")]
    made = hook(receiver.url)
    happen(alpha)
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=6), failures=9)
    turn(made)
    shown = send("GET", f"/api/webhooks/{made['id']}/").json()
    assert shown["state"] == "disabled"
    assert "HTTP 500" in shown["state_reason"]
    happen(alpha)
    path = f"/api/webhooks/{made['id']}/"
    assert send("POST", path + "replay/", {"delivery": 1}).status_code == 409

    Delivery.objects.update(state="failed")
    receiver.answers = [(200, {}, b"")]
    send("PATCH", path, {"is_active": True})
    replayed = send("POST", path + "replay/", {"since": "2026-01-01T00:00:00+03:00"})
    assert (replayed.status_code, replayed.json()) == (202, {"queued": 2})
    turn(made)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_one_is_sent_again_under_its_own_id(hook, send, receiver, alpha):
    made = hook(receiver.url)
    happen(alpha)
    turn(made)
    pk = Delivery.objects.get().pk

    answer = send("POST", f"/api/webhooks/{made['id']}/replay/", {"delivery": pk})
    turn(made)

    assert answer.json() == {"queued": 1}
    first, second = (headers["webhook-id"] for headers, _ in receiver.requests)
    assert first == second
    lost = send("POST", f"/api/webhooks/{made['id']}/replay/", {"delivery": pk + 1})
    assert lost.status_code == 404
    assert send("POST", f"/api/webhooks/{made['id']}/replay/").status_code == 400


def test_a_ping_shows_what_the_receiver_says(hook, send, receiver):
    made = hook(receiver.url)
    receiver.answers = [(404, {}, b"no such page")]

    told = send("POST", f"/api/webhooks/{made['id']}/test/").json()

    assert (told["delivered"], told["status"], told["answer"]) == (False, 404, "no such page")
    assert receiver.verified(made["secret"])[0]["type"] == "ping"


def test_a_late_worker_changes_nothing(hook, alpha):
    made = hook()
    happen(alpha)
    row = delivery.claim(made["id"])
    assert row is not None
    assert delivery.claim(made["id"]) is None
    Delivery.objects.update(attempts=2)

    assert not delivery.record(row, sending.Answer(status=200))
    assert Delivery.objects.get().state == "pending"


def test_one_company_does_not_take_all_places(hook, alpha, beta, settings):
    settings.WEBHOOK_THREADS = 2
    for _ in range(3):
        hook()
    Endpoint.objects.create(
        company=beta.company, url=URL, events=["device.state"], secret=sending.new_secret()
    )
    happen(alpha)
    happen(beta)

    assert {each.company_id for each in delivery.choose([])} == {
        alpha.company.pk, beta.company.pk,
    }  # fmt: skip


def test_one_process_sends_at_a_time(alpha):
    assert delivery._become_sender(time.monotonic() + 5)
    assert delivery._become_sender(time.monotonic() + 5) is None


def test_it_costs_one_statement(hook, alpha, django_assert_num_queries):
    hook()
    with django_assert_num_queries(0):  # none of Django's own; the one is by hand
        happen(alpha)
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.fixture
def tls(certificate, settings, monkeypatch):  # noqa: F811
    """A receiver whose certificate is for 127.0.0.1 and for nobody else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    made = Receiver(context)
    settings.WEBHOOK_PORTS = [made.port]
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.WEBHOOK_CA_FILE = str(certificate)
    monkeypatch.setattr(addresses, "resolve", lambda host, port: ["127.0.0.1"])
    yield made
    made.stop()


def test_a_certificate_for_the_name_is_needed(tls, settings):
    good = sending.post(f"https://127.0.0.1:{tls.port}/", {}, b"{}")
    other = sending.post(f"https://pos.test:{tls.port}/", {}, b"{}")
    settings.WEBHOOK_CA_FILE = ""
    stranger = sending.post(f"https://127.0.0.1:{tls.port}/", {}, b"{}")

    assert good.status == 200
    assert (other.status, stranger.status) == (None, None)
    assert "TLS" in other.error
    assert len(tls.requests) == 1


# --- What docs/webhooks.md tells others to do ---


def sample(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return text


def signed(body='{"type":"ping"}'):
    secret = sending.new_secret()
    now = datetime.fromtimestamp(int(time.time()), tz=UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": "v1,b3RoZXI= " + Webhook(secret).sign("evt_1", now, body),
    }
    return secret, headers, body


CASES = [({}, True), ({"webhook-id": "evt_2"}, False), ({"webhook-timestamp": "1"}, False),
         ({"webhook-signature": "v1,b3RoZXI="}, False)]  # fmt: skip


@pytest.mark.parametrize(("changed", "is_genuine"), CASES)
def test_the_python_sample_agrees_with_the_library(changed, is_genuine):
    names: dict[str, Any] = {}
    exec(sample("python"), names)  # noqa: S102
    secret, headers, body = signed()

    assert names["is_genuine"](secret, headers | changed, body.encode()) is is_genuine


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
@pytest.mark.parametrize(("changed", "is_genuine"), CASES)
def test_the_javascript_sample_agrees_with_the_library(changed, is_genuine):
    secret, headers, body = signed()
    given = json.dumps([secret, headers | changed, body])
    code = sample("javascript") + f"\nconsole.log(isGenuine(...{given}))"

    told = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == str(is_genuine).lower()
