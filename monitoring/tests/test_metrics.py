import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from devices.models import Device
from monitoring.metrics import dead
from monitoring.metrics.facts import facts
from monitoring.metrics.requests import note
from monitoring.models import (
    Delivery,
    Endpoint,
    Event,
    Heartbeat,
    SeenCertificate,
    UnjournaledFact,
)
from outbox.models import Breaker, Lane

from .furniture import heartbeat

pytestmark = pytest.mark.django_db
DEPLOY = Path(django_settings.BASE_DIR, "deploy/monitoring")
TOKEN = {"Authorization": "Bearer let-me-see"}
NAME = re.compile(r"\betims_[a-z_]+")


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.METRICS_TOKEN = "let-me-see"
    facts.forget()


@pytest.fixture
def scrape(client):
    def scrape():
        facts.forget()
        response = client.get("/metrics", headers=TOKEN)
        assert response.status_code == 200
        families = list(text_string_to_metric_families(response.content.decode()))
        return {(s.name, *sorted(s.labels.items())): s.value for f in families for s in f.samples}

    return scrape


def value(found, name, **labels):
    return found[(name, *sorted(labels.items()))]


def test_it_tells_backlog_and_lateness(alpha, owe, scrape):
    now = timezone.now()
    owe(alpha.lane, "unknown", not_before=now - timedelta(minutes=20))
    owe(alpha.lane, not_before=now + timedelta(minutes=20))

    found = scrape()

    assert value(found, "etims_backlog_messages", stream="fiscal") == 2
    assert value(found, "etims_open_messages", stream="fiscal", status="unknown") == 1
    assert 1200 <= value(found, "etims_oldest_due_seconds", stream="fiscal") < 1260
    assert value(found, "etims_oldest_due_seconds", stream="stock") == 0
    assert value(found, "etims_lanes_due_longer", stream="fiscal", seconds="900") == 1
    assert value(found, "etims_lanes_due_longer", stream="fiscal", seconds="3600") == 0
    where = {"company": "A000000001A", "branch": "00", "device": "alpha-1", "stream": "fiscal"}
    assert 1200 <= value(found, "etims_lane_oldest_due_seconds", **where) < 1260


def test_it_tells_what_kra_did(alpha, sell, make_call, scrape):
    heartbeat()
    sell(alpha)
    sell(alpha, "refused")
    sell(alpha, "refused", state="voided")
    for ms in (10, 20, 30):
        make_call(alpha, elapsed_ms=ms, outcome="unknown" if ms == 30 else "accepted")
    make_call(alpha, started_at=timezone.now() - timedelta(minutes=6))
    Breaker.objects.create(host="sandbox/direct", is_open=True, failures=5)

    found = scrape()

    assert value(found, "etims_refused_sales") == 1
    assert value(found, "etims_recent_messages", stream="fiscal", status="accepted") == 1
    assert value(found, "etims_recent_messages", stream="fiscal", status="refused") == 2
    calls = {"endpoint": "sales_save"}
    assert value(found, "etims_recent_kra_calls", outcome="accepted", **calls) == 2
    assert value(found, "etims_recent_kra_calls", outcome="unknown", **calls) == 1
    assert value(found, "etims_recent_kra_call_seconds", quantile="0.5", **calls) == 0.02
    assert value(found, "etims_breaker_open", host="sandbox/direct") == 1
    assert value(found, "etims_last_accepted_age_seconds", host="sandbox/direct") < 60
    assert value(found, "etims_heartbeat_age_seconds", part="worker") < 60
    assert value(found, "etims_database_up") == 1
    assert value(found, "etims_devices", state="active") == 1


def test_its_labels_are_bounded(alpha, open_device, owe, scrape, settings):
    settings.METRICS_TOP = 3
    for number in range(10):
        lane = Lane.objects.create(
            device=open_device(alpha.company, f"many-{number}"), stream="fiscal"
        )
        owe(lane, not_before=timezone.now() - timedelta(minutes=number + 1))

    found = scrape()

    named = [dict(k[1:])["device"] for k in found if k[0] == "etims_lane_oldest_due_seconds"]
    assert named == ["many-9", "many-8", "many-7"]
    assert Device.objects.count() == 11


def test_it_counts_requests_by_route_and_never_by_address(client, scrape):
    client.get("/health/live/")
    client.get("/nowhere/4711/")
    client.get("/api/logs/4711/")
    client.generic("MADEUP", "/health/live/")

    found = scrape()

    route = {"route": "/api/logs/<int:pk>/", "method": "GET", "status": "401"}
    assert value(found, "etims_http_requests_total", **route) >= 1
    other = {"route": "/other", "method": "GET", "status": "404"}
    assert value(found, "etims_http_requests_total", **other) >= 1
    assert value(found, "etims_http_request_seconds_count", route="/health/live/") >= 2
    assert not any("4711" in str(key) or "MADEUP" in str(key) for key in found)


def test_a_names_quotes_and_breaks_do_no_harm(alpha, owe, scrape):
    Device.objects.filter(pk=alpha.device.pk).update(serial='a"b\\c\nd')
    owe(alpha.lane, not_before=timezone.now() - timedelta(minutes=9))

    assert any('a"b\\c\nd' in str(dict(key[1:]).get("device")) for key in scrape())


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_it_is_not_public(client, path, headers):
    response = client.get(path, headers=headers)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "metrics_refused"


def test_an_empty_token_opens_nothing(client, settings):
    settings.METRICS_TOKEN = ""

    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["10.0.0.0/8"], "10.1.2.3", 200),
        (["10.0.0.0/8"], "11.1.2.3", 403),
        (["10.0.0.0/8"], "::1", 403),
        ([], "10.1.2.3", 403),
    ],
)
def test_it_is_open_to_a_network(client, settings, networks, address, status):
    settings.METRICS_NETWORKS = networks

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_it_answers_without_a_database(client, monkeypatch):
    from django.db import OperationalError

    from monitoring.metrics import facts as module

    def refuse(*_):
        raise OperationalError

    monkeypatch.setattr(module, "lane_states", lambda **_: refuse())
    text = client.get("/metrics", headers=TOKEN).content.decode()

    assert "etims_database_up 0.0" in text
    assert "etims_http_requests_total" in text


# --- Several processes ---

COUNT = "from monitoring.metrics.requests import note; [note('GET', 'x/', 200, 0.2) for _ in '{}']"
TOTAL = """
from monitoring.metrics.requests import Requests
print(sum(s.value for m in Requests().collect() for s in m.samples
    if s.name in ('etims_http_requests_total', 'etims_http_request_seconds_count')
    or (s.name.endswith('_bucket') and s.labels['le'] == '0.25')))
"""


def test_the_dead_are_counted_once_and_leave_no_files(tmp_path):
    def python(code):
        env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=env, cwd=django_settings.BASE_DIR,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return process.pid, process.communicate(timeout=60)[0]

    for marks in ("123", "12"):
        pid, _ = python(COUNT.format(marks))
        dead.bury(pid, str(tmp_path))
    python(COUNT.format("1234"))

    assert python(TOTAL)[1] == "27.0\n"
    assert len(list(tmp_path.glob("*_dead.db"))) == 2
    assert len(list(tmp_path.glob("*.db"))) == 4
    dead.empty(str(tmp_path))
    assert list(tmp_path.glob("*.db")) == []


def test_counting_costs_next_to_nothing():
    import time

    started = time.perf_counter()
    for _ in range(2000):
        note("GET", "health/", 200, 0.01)
    assert (time.perf_counter() - started) / 2000 < 0.00005


def furnish_upkeep(alpha):
    now = timezone.now()
    Heartbeat.objects.create(name="backup", at=now - timedelta(hours=2))
    ends_at = now + timedelta(days=2)
    SeenCertificate.objects.create(host="kra.test", port=443, ends_at=ends_at, ask_at=now)
    SeenCertificate.objects.create(host="never.test", port=443, ask_at=now)
    alpha.company.tokens.update(expires_at=now + timedelta(days=1))


def test_it_tells_of_journal_webhooks_backups_and_what_ends(alpha, scrape):
    now = timezone.now()
    furnish_upkeep(alpha)
    since = now - timedelta(minutes=3)
    UnjournaledFact.objects.create(device=alpha.device, kind="state", facts={"a": 1}, at=since)
    hooks = [
        Endpoint.objects.create(
            company=alpha.company, url="https://pos.test/", events=["device.state"], secret="x",
            state=state, resume_at=rests,
        )
        for state, rests in (("active", None), ("active", now + timedelta(hours=1)),
                             ("disabled", None), ("deleted", None))
    ]  # fmt: skip
    for minutes, hook in zip((4, 50, 60, 70), hooks, strict=True):
        event = Event.objects.create(
            company=alpha.company, device=alpha.device, kind="device.state", recorded_in=1,
            created_at=now,
        )  # fmt: skip
        due = now - timedelta(minutes=minutes)
        Delivery.objects.create(event=event, endpoint=hook, next_attempt_at=due, due_since=due)

    found = scrape()

    assert 180 <= value(found, "etims_journal_lag_seconds") < 240
    assert 240 <= value(found, "etims_webhook_oldest_due_seconds") < 300
    assert value(found, "etims_webhook_pending") == 2
    assert value(found, "etims_webhook_endpoints", state="disabled") == 1
    assert value(found, "etims_webhook_endpoints", state="active") == 2
    assert 7200 <= value(found, "etims_backup_age_seconds") < 7300
    assert not any(("part", "backup") in key for key in found)
    seconds = value(found, "etims_certificate_expiry_seconds", host="kra.test:443")
    assert 2 * 86_400 - 60 < seconds <= 2 * 86_400
    assert not any(("host", "never.test:443") in key for key in found)
    assert value(found, "etims_tokens_ending") == 1
    assert 86_400 - 60 < value(found, "etims_token_expiry_seconds") <= 86_400


# --- What is shipped for Prometheus and Grafana ---


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_every_metric_that_is_named_exists(file, alpha, sell, make_call, owe, scrape):
    heartbeat()
    sell(alpha)
    make_call(alpha)
    owe(alpha.lane, not_before=timezone.now() - timedelta(minutes=1))
    Breaker.objects.create(host="sandbox/direct")
    furnish_upkeep(alpha)
    scrape()
    known = {key[0] for key in scrape()}

    named = set(NAME.findall((DEPLOY / file).read_text()))

    assert len(named) >= 10
    assert named - known == set()


def test_the_dashboard_is_grafanas():
    board = json.loads((DEPLOY / "grafana.json").read_text())

    assert {"title", "panels", "schemaVersion", "uid"} <= board.keys()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_each_rule_leads_to_its_page():
    text = (DEPLOY / "alerts.yml").read_text()
    page = Path(django_settings.BASE_DIR, "docs/alerts.md").read_text()

    anchors = re.findall(r"runbook_url: .*#([a-z-]+)", text)
    assert len(anchors) == text.count("- alert:") >= 10
    assert [a for a in anchors if f"## {a}\n" not in page] == []
