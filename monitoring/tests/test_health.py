import time
from datetime import timedelta

import pytest
from celery import Celery
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone

from monitoring import health
from monitoring.heartbeats import BeatScheduler
from monitoring.models import Heartbeat
from outbox.models import Breaker

from .furniture import heartbeat

# The database is asked through a connection of its own, which sees only what is committed.
committed = pytest.mark.django_db(transaction=True)
LIMIT_S = 2.0


def by_name(response):
    return {check["name"]: check for check in response.json()["checks"]}


def timed(client, path="/health/"):
    started = time.monotonic()
    response = client.get(path)
    return response, time.monotonic() - started


@pytest.fixture
def move_database(monkeypatch):
    """New connections go to another port; that of the test is open already."""

    def move(port):
        elsewhere = connections.settings["default"] | {"HOST": "127.0.0.1", "PORT": port}
        monkeypatch.setitem(connections.settings, "default", elsewhere)

    return move


def test_it_is_alive_without_a_database(client):
    response = client.get("/health/live/")

    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert response.json()["checks"] == []


@committed
@pytest.mark.parametrize("path", ["/health/", "/health/ready/"])
def test_it_is_well(client, path):
    heartbeat()

    response = client.get(path)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body["status"] == "ok", body
    assert set(body) == {"status", "checks", "version", "time"}
    assert {c["verdict"] for c in body["checks"]} == {"ok"}
    assert list(by_name(response)) == [
        "database",
        "redis",
        "keys",
        "worker",
        "beat",
        "watchdog",
        "outbox",
        "disk",
    ]
    assert by_name(response)["database"]["unit"] == "ms"


@committed
def test_it_is_not_ready_with_keys_that_do_not_fit(client, alpha, get, settings):
    alpha.device.key = "cmc-key"
    alpha.device.save()
    assert by_name(client.get("/health/"))["keys"]["verdict"] == "ok"
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    health.forget()

    response = client.get("/health/")

    assert response.status_code == 503
    assert by_name(response)["keys"]["verdict"] == "failed"
    refused = get("/api/devices/", alpha)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "keys_missing"


@committed
def test_it_tells_of_a_watchdog_that_has_gone(client, settings):
    heartbeat()
    assert by_name(client.get("/health/"))["watchdog"]["verdict"] == "ok"
    settings.ALERT_EMAIL_TO = ["owner@example.com"]
    health.forget()
    never = by_name(client.get("/health/"))["watchdog"]
    assert (never["verdict"], never["message"][:19]) == ("warning", "None has looked yet")

    Heartbeat.objects.create(name="watchdog", at=timezone.now() - timedelta(minutes=11))
    health.forget()
    body = client.get("/health/")

    assert body.json()["status"] == "degraded"
    assert "has not looked for 66" in by_name(body)["watchdog"]["message"]


@committed
def test_beat_says_by_its_own_clock_that_it_lives(tmp_path):
    """With neither a broker nor a worker."""
    app = Celery("test", broker="redis://127.0.0.1:1/0", beat_schedule={})
    scheduler = BeatScheduler(app, schedule_filename=str(tmp_path / "schedule"))

    scheduler.tick()
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=1))
    scheduler.tick()

    (row,) = Heartbeat.objects.all()
    assert (row.name, row.at < timezone.now() - timedelta(minutes=59)) == ("beat", True)
    scheduler.close()


def test_beat_is_ours():
    from etims_integration.celery import app

    assert app.conf.beat_scheduler == "monitoring.heartbeats.BeatScheduler"


@committed
def test_it_is_degraded_until_a_worker_was_heard_of(client):
    response = client.get("/health/")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert by_name(response)["worker"]["verdict"] == "warning"
    assert by_name(response)["beat"]["message"] == (
        "Nothing was scheduled yet. Start the worker and beat."
    )


@committed
def test_it_tells_a_late_message_and_an_open_breaker_but_no_names(client, alpha, owe):
    heartbeat()
    owe(alpha.lane, not_before=timezone.now() - timedelta(minutes=6))
    Breaker.objects.create(
        host="sandbox/direct", is_open=True, opened_at=timezone.now(), failures=5,
        last_error="read_timeout: A000000001A",
    )  # fmt: skip

    response = client.get("/health/")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    checks = by_name(response)
    assert checks["outbox"]["verdict"] == "warning"
    assert 360 <= checks["outbox"]["number"] < 370
    assert checks["kra:sandbox/direct"]["verdict"] == "warning"
    text = response.content.decode()
    for secret in ("A000000001A", "Alpha", "alpha-1", django_settings.SECRET_KEY):
        assert secret not in text


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["refusing_port", "silent_port"])
def test_it_fails_in_time_without_the_database(client, request, move_database, kind):
    move_database(request.getfixturevalue(kind))

    response, elapsed = timed(client)

    assert response.status_code == 503
    assert response.json()["status"] == "failed"
    assert elapsed < LIMIT_S
    checks = by_name(response)
    assert checks["database"]["verdict"] == "failed"
    assert checks["redis"]["verdict"] == "ok"
    assert checks["worker"]["verdict"] == "warning"
    text = response.content.decode()
    for name in ("HOST", "USER", "PASSWORD", "NAME"):
        assert str(django_settings.DATABASES["default"][name]) not in text


@pytest.mark.django_db
def test_it_stays_well_informed_when_every_thread_hangs(client, silent_port, move_database):
    move_database(silent_port)

    for _ in range(4):
        health.forget()
        response, elapsed = timed(client)

    assert elapsed < LIMIT_S
    assert by_name(response)["database"]["verdict"] == "failed"
    assert by_name(response)["redis"]["verdict"] == "ok"


@committed
@pytest.mark.parametrize("kind", ["refusing_port", "silent_port"])
def test_it_is_only_degraded_without_redis(client, request, settings, kind):
    heartbeat()
    settings.REDIS_URL = f"redis://:hush-hush@127.0.0.1:{request.getfixturevalue(kind)}/0"

    response, elapsed = timed(client)

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert elapsed < LIMIT_S
    redis = by_name(response)["redis"]
    assert redis["verdict"] == "warning"
    assert "Selling goes on" in redis["message"]
    assert "hush-hush" not in response.content.decode()


@committed
def test_it_does_not_take_a_missing_table_for_a_dead_database(client, monkeypatch):
    monkeypatch.setattr(Heartbeat._meta, "db_table", "no_such_table")

    response = client.get("/health/")

    assert response.status_code == 200
    assert by_name(response)["database"]["verdict"] == "ok"
    assert by_name(response)["worker"]["message"] == "Not known: the database did not tell in time."


@pytest.mark.django_db
def test_it_keeps_the_report_for_a_second(client, refusing_port, move_database):
    move_database(refusing_port)

    first, second = client.get("/health/").json(), client.get("/health/").json()

    assert first["time"] == second["time"]


@pytest.mark.parametrize(
    ("_case", "age_s", "verdict"),
    [("fresh", 10, "ok"), ("at the limit", 60, "ok"), ("silent", 61, "warning")],
)
def test_it_judges_a_heartbeat(_case, age_s, verdict):
    now = timezone.now()

    check = health.beat_check("worker", now - timedelta(seconds=age_s), now)

    assert check.verdict == verdict
    assert check.number == age_s


@pytest.mark.parametrize(
    ("_case", "is_open", "verdict", "number"),
    [("it answers again", False, "ok", None), ("it is silent", True, "warning", 90)],
)
def test_it_judges_a_breaker(_case, is_open, verdict, number):
    now = timezone.now()
    row = Breaker(host="sandbox/direct", is_open=is_open, opened_at=now - timedelta(seconds=90))

    check = health.breaker_check(row, now)

    assert (check.name, check.verdict, check.number) == ("kra:sandbox/direct", verdict, number)


@pytest.mark.parametrize(
    ("_case", "free", "verdict"),
    [("plenty", 500, "ok"), ("little", 49, "warning"), ("1 %", 10, "warning"), ("no", 9, "failed")],
)
def test_it_judges_the_disk(_case, free, verdict):
    check = health.disk_check(total=1000, free=free)

    assert check.verdict == verdict
    assert health.status_of([check]) == {"warning": "degraded"}.get(verdict, verdict)


@pytest.mark.django_db
def test_it_beats_for_worker_and_beat_in_one_row_each():
    heartbeat()
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=1))

    heartbeat()

    rows = dict(Heartbeat.objects.values_list("name", "at"))
    assert sorted(rows) == ["beat", "worker"]
    assert all(timezone.now() - at < timedelta(seconds=5) for at in rows.values())
