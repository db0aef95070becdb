"""Every rule fires and is over again, on real rows; who is told what, and only once."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from companies.models import ApiToken
from devices.models import Call, Device
from monitoring.alerts import book, channels, findings, surroundings, watch
from monitoring.alerts.rules import RULES
from monitoring.alerts.wording import NEXT_STEPS
from monitoring.journal.follower import follow
from monitoring.models import (
    Alert,
    AlertNotice,
    Endpoint,
    Heartbeat,
    UnjournaledFact,
)
from outbox.models import Breaker, Transmission

from .furniture import heartbeat
from .sinks import http_sink, smtp_sink

pytestmark = pytest.mark.django_db
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def alone(settings, tmp_path):
    """No channel, no certificate to ask for, and a disk that is never full."""
    settings.WATCHDOG_STATE = str(tmp_path / "watchdog.json")
    settings.PUBLIC_URL = "http://testserver"
    settings.ALERT_DISK_FREE_PERCENT = 0
    settings.ALERT_DATABASE_MS = 60_000
    settings.KRA_HOSTS = {}


@pytest.fixture
def hook(settings):
    with http_sink() as (sink, url):
        settings.ALERT_WEBHOOK_URL = url
        yield sink


@pytest.fixture
def clock():
    with time_machine.travel("2026-11-23T09:00:00Z", tick=False) as traveller:
        heartbeat()
        yield traveller


def look_after(clock, **passed):
    clock.shift(timedelta(**passed))
    if not Heartbeat.objects.filter(name="worker", at__lt=timezone.now() - timedelta(days=9)):
        heartbeat()
    assert watch.look()


def opened():
    return [(a.rule, a.severity) for a in Alert.objects.open().order_by("rule")]


def told(sink):
    return [(a["event"], a["rule"]) for _, body, _ in sink.taken for a in body["alerts"]]


def make_nothing_accepted(alpha, owe, **_):
    owe(alpha.lane, not_before=timezone.now() + timedelta(hours=9))


def make_oldest_pending(alpha, owe, **_):
    owe(alpha.lane, kind="stock", not_before=timezone.now() - 16 * MINUTE)


def make_unknown(alpha, owe, **_):
    owe(alpha.lane, "unknown", claimed_at=timezone.now() - 11 * MINUTE)


def make_conflict(alpha, owe, **_):
    owe(alpha.lane, "conflict")


def make_error_rate(alpha, make_call, **_):
    for number in range(20):
        make_call(alpha, outcome="unknown" if number < 5 else "accepted")


def make_breaker_open(**_):
    now = timezone.now()
    Breaker.objects.create(host="sandbox/direct", is_open=True, opened_at=now - 3 * MINUTE)


def make_device_refused(alpha, **_):
    Device.objects.filter(pk=alpha.device.pk).update(state="refused")


def make_deadline(alpha, owe, **_):
    now = timezone.now()
    owe(alpha.lane, created_at=now - timedelta(hours=13), not_before=now + timedelta(hours=1),
        deadline_at=now + timedelta(hours=11))  # fmt: skip


def make_token_expiry(alpha, **_):
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=3))


def make_journal_late(alpha, **_):
    since = timezone.now() - timedelta(minutes=16)
    UnjournaledFact.objects.create(device=alpha.device, kind="state", facts={"a": 1}, at=since)


def make_webhook_disabled(alpha, **_):
    Endpoint.objects.create(
        company=alpha.company, url="https://pos.test/very-secret", events=["sale.signed"],
        secret="whsec_x", state="disabled", state_reason="The receiver answered 410 Gone.",
        failing_since=timezone.now(),
    )  # fmt: skip


def make_backup_old(**_):
    at = timezone.now() - timedelta(hours=37)
    Heartbeat.objects.create(name="backup", at=at)


def mend():
    UnjournaledFact.objects.all().delete()
    Endpoint.objects.all().delete()
    Heartbeat.objects.filter(name="backup").update(at=timezone.now())
    Transmission.objects.update(status="cancelled", finished_at=timezone.now())
    Breaker.objects.update(is_open=False)
    Device.objects.update(state="active")
    ApiToken.objects.update(expires_at=None)
    Call.objects.all().delete()


MAKERS = {name: globals()[f"make_{name}"] for name in RULES if name != "silent"}


@pytest.mark.parametrize("rule", MAKERS)
def test_each_rule_fires_and_recovers(rule, alpha, owe, make_call, clock, hook):
    MAKERS[rule](alpha=alpha, owe=owe, make_call=make_call)
    look_after(clock, minutes=11 if rule == "nothing_accepted" else 0)
    assert rule in [name for name, _ in opened()]

    mend()
    look_after(clock, minutes=20)

    assert opened() == []
    assert told(hook).count(("opened", rule)) == told(hook).count(("recovered", rule)) == 1


def test_silence_fires_and_recovers(alpha, clock, hook):
    Heartbeat.objects.update(at=timezone.now() - timedelta(days=10))
    look_after(clock)
    assert opened() == [("silent", "critical")]

    Heartbeat.objects.all().delete()
    look_after(clock, minutes=3)

    assert opened() == []


@pytest.mark.parametrize("part", ["worker", "beat"])
def test_it_says_who_is_silent(part, alpha, clock):
    Heartbeat.objects.filter(name=part).update(at=timezone.now() - timedelta(minutes=5))
    assert watch.look()

    assert [a.subject for a in Alert.objects.open()] == [part]


def test_what_a_person_switched_off_is_no_trouble(alpha, clock):
    make_webhook_disabled(alpha)
    Endpoint.objects.update(state_reason="Switched off by a person.")
    look_after(clock)

    assert opened() == []


def test_a_webhooks_address_is_told_to_nobody(alpha, clock, hook):
    make_webhook_disabled(alpha)
    look_after(clock)

    ((_, body, raw),) = hook.taken
    assert "410" in body["alerts"][0]["title"]
    assert b"very-secret" not in (raw if isinstance(raw, bytes) else raw.encode())


def test_who_never_made_a_backup_is_told_once_there_is_something_to_lose(alpha, sell, clock):
    look_after(clock, hours=40)
    assert opened() == []
    sell(alpha)
    follow(until=time.monotonic() + 5)
    look_after(clock, hours=35)
    assert opened() == []
    look_after(clock, hours=2)

    assert opened() == [("backup_old", "critical")]


def test_rows_nobody_has_read_are_the_followers_trouble(alpha, sell, clock):
    sell(alpha)
    look_after(clock, minutes=16)

    assert [(a.rule, a.subject) for a in Alert.objects.open()] == [("journal_late", "follower")]


def test_a_channel_that_is_set_later_hears_of_what_is_open(alpha, owe, clock, settings):
    owe(alpha.lane, "conflict")
    look_after(clock)
    with http_sink() as (sink, url):
        settings.ALERT_WEBHOOK_URL = url
        look_after(clock, minutes=1)
        look_after(clock, minutes=1)

    assert told(sink) == [("opened", "conflict")]


def test_each_rule_has_a_section_and_a_step():
    page = (django_settings.BASE_DIR / "docs/alerts.md").read_text()
    told_of = {*RULES, "disk", "database_slow", "database_down", "certificate", "test"}

    assert set(NEXT_STEPS) == told_of
    sections = dict(part.split("\n\n", 1) for part in page.split("\n## ")[1:])
    for rule in told_of:
        assert len(sections[rule.replace("_", "-")].strip()) > 80, rule


def test_a_healthy_installation_is_silent(alpha, sell, clock, hook):
    sell(alpha)
    follow(until=time.monotonic() + 5)
    look_after(clock)
    look_after(clock, hours=30)

    assert (opened(), hook.taken) == ([], [])


def test_it_says_what_since_when_who_and_what_to_do(alpha, owe, clock, hook):
    owe(alpha.lane, "conflict", reference="TILL-7")
    look_after(clock)

    ((headers, body, raw),) = hook.taken
    (alert,) = body["alerts"]
    assert alert["title"].startswith("Company A000000001A, device alpha-1: TILL-7 is in conflict")
    assert (alert["company"], alert["device"]) == ("A000000001A", "alpha-1")
    assert alert["since"] == "2026-11-23T09:00:00+00:00"
    assert alert["runbook"] == "docs/alerts.md#conflict"
    assert alert["next_step"].startswith("Compare with KRA's portal")


def test_it_is_told_once_and_reminded(alpha, owe, clock, hook):
    owe(alpha.lane, "conflict")
    for _ in range(5):
        look_after(clock, minutes=1)
    assert told(hook).count(("opened", "conflict")) == 1

    look_after(clock, hours=6)
    look_after(clock, minutes=1)

    assert told(hook).count(("reminder", "conflict")) == 1


def test_what_comes_and_goes_is_told_once(alpha, owe, clock, hook):
    row = owe(alpha.lane, "conflict")
    for status in ("conflict", "queued", "conflict", "queued", "conflict"):
        Transmission.objects.filter(pk=row.pk).update(status=status)
        look_after(clock, minutes=1)

    assert told(hook) == [("opened", "conflict")]


def test_what_one_look_left_out_is_not_over(alpha, open_device, owe, clock, hook, monkeypatch):
    """More lanes are in trouble than one look notes: those beyond are not seen, and not well."""
    monkeypatch.setattr(findings, "MOST", 1)
    first = owe(open_device(alpha.company, "other").lanes.create(stream="fiscal"), "conflict")
    owe(alpha.lane, "conflict")
    rows = Transmission.objects.filter(pk=first.pk)
    rows.update(status="queued")
    look_after(clock)
    rows.update(status="conflict")
    for _ in range(5):
        look_after(clock, minutes=1)

    assert told(hook).count(("opened", "conflict")) == 2
    assert ("recovered", "conflict") not in told(hook)


def test_a_deadline_gets_worse_in_steps(alpha, owe, clock, hook):
    make_deadline(alpha, owe)
    look_after(clock)
    look_after(clock, hours=7)
    look_after(clock, minutes=1)
    look_after(clock, hours=5)

    mine = [event for event, rule in told(hook) if rule == "deadline"]
    assert [event for event in mine if event != "reminder"] == ["opened", "worse", "worse"]
    alert = Alert.objects.get(rule="deadline")
    assert (alert.level, alert.severity) == (100, "critical")


def test_a_deaf_channel_is_told_later(alpha, owe, clock, hook):
    hook.status = 500
    owe(alpha.lane, "conflict")
    look_after(clock)
    look_after(clock, minutes=1)
    notice = AlertNotice.objects.get()
    assert (hook.taken, notice.attempts, notice.sent_at) == ([], 2, None)
    assert "500" in notice.error

    hook.status = 200
    look_after(clock, minutes=1)

    assert told(hook) == [("opened", "conflict")]


def test_what_was_over_before_it_was_told_is_dropped(alpha, owe, clock, hook):
    hook.status = 302
    owe(alpha.lane, "conflict")
    look_after(clock)
    mend()
    look_after(clock, minutes=3)
    hook.status = 200
    look_after(clock, minutes=3)

    assert told(hook) == []


def test_many_are_one_message(alpha, open_device, owe, clock, hook):
    for number in range(130):
        device = open_device(alpha.company, f"many-{number}")
        owe(device.lanes.create(stream="fiscal"), "conflict")
    look_after(clock)
    look_after(clock, minutes=5)

    assert len(hook.taken) == 1
    assert told(hook).count(("opened", "conflict")) == 100


def test_two_watchdogs_tell_once(alpha, owe, clock, hook):
    owe(alpha.lane, "conflict")
    book.note(watch.find(timezone.now(), []), ["webhook"], now=timezone.now())
    AlertNotice.objects.update(claimed_until=timezone.now() + MINUTE)

    watch.tell_all(timezone.now())
    assert hook.taken == []
    # The other one died while it told.
    clock.shift(timedelta(minutes=3))
    watch.tell_all(timezone.now())

    assert told(hook) == [("opened", "conflict")]


@pytest.mark.django_db(transaction=True)
def test_only_one_writes_at_a_time(alpha, owe):
    import threading

    owe(alpha.lane, "conflict")
    findings, results = watch.find(timezone.now(), []), []

    def other():
        results.append(book.note(findings, [], now=timezone.now()))
        connection.close()

    from django.db import transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [book.LOCK])
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    assert results == [False]
    assert Alert.objects.count() == 0


# --- Channels ---


@pytest.mark.parametrize(
    ("at", "severity", "expected"),
    [
        ("2026-11-23T20:00:00Z", "warning", True),  # 23:00 in Nairobi
        ("2026-11-23T20:00:00Z", "critical", False),
        ("2026-11-23T02:59:00Z", "warning", True),
        ("2026-11-23T03:00:00Z", "warning", False),
        ("2026-11-23T18:59:00Z", "warning", False),
    ],
)
def test_quiet_hours(settings, at, severity, expected):
    settings.ALERT_QUIET_HOURS = {"email": "22:00-06:00"}
    with time_machine.travel(at, tick=False):
        assert channels.is_quiet("email", severity, timezone.now()) is expected
        assert channels.is_quiet("slack", severity, timezone.now()) is False


def test_what_comes_at_night_is_told_in_the_morning(alpha, owe, clock, hook, settings):
    settings.ALERT_QUIET_HOURS = {"webhook": "11:00-13:00"}
    make_token_expiry(alpha)
    look_after(clock)
    assert hook.taken == []

    look_after(clock, hours=1, minutes=1)

    assert told(hook) == [("opened", "token_expiry")]


def test_the_webhook_is_signed(settings, hook):
    settings.ALERT_WEBHOOK_SECRET = SECRET
    assert channels.test() == {"webhook": ""}

    ((headers, _, raw),) = hook.taken
    signed = {name.lower(): value for name, value in headers.items()}
    assert Webhook(SECRET).verify(raw, signed)["type"] == "alerts"


def test_it_mails(alpha, owe, clock, settings):
    with smtp_sink() as (sink, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.ALERT_EMAIL_TO = ["owner@example.com"]
        owe(alpha.lane, "conflict", reference="TILL-7")
        sink.status = 421
        look_after(clock)
        assert AlertNotice.objects.get().error.startswith("SMTP")
        sink.status = 200
        look_after(clock, minutes=1)

    (mail,) = sink.taken
    mail = mail.replace("\r\n ", " ")
    assert "Subject: [eTIMS] CRITICAL: Company A000000001A, device alpha-1:" in mail
    assert "To: owner@example.com" in mail
    assert "Next: Compare with KRA's portal" in mail
    assert "docs/alerts.md#conflict" in mail


def test_slack_is_woken_by_nobodys_name(alpha, owe, clock, settings):
    with http_sink() as (sink, url):
        settings.ALERT_SLACK_URL = url
        owe(alpha.lane, "conflict", reference="<!channel>")
        look_after(clock)

    ((_, body, _),) = sink.taken
    assert list(body) == ["text"]
    assert "&lt;!channel&gt;" in body["text"]


def test_a_channels_address_is_no_reason(settings, refusing_port):
    settings.ALERT_SLACK_URL = f"http://127.0.0.1:{refusing_port}/services/very-secret"

    assert "very-secret" not in channels.test()["slack"]


# --- The server ---


def test_disk_database_size_and_latency(settings, clock):
    now = timezone.now()
    settings.ALERT_DISK_FREE_PERCENT, settings.ALERT_DATABASE_MS = 100.1, 0
    settings.ALERT_DISK_PATHS = ["/nowhere"]
    settings.ALERT_DATABASE_GB = 0.000001

    assert len(surroundings.disk(now)) == 2
    assert surroundings.database_size(now)[0].rule == "disk"
    assert surroundings.database_latency(now)[0].rule == "database_slow"


@pytest.fixture
def database_off(monkeypatch):
    from django.db import OperationalError

    def refuse(*_):
        raise OperationalError("gone")

    monkeypatch.setattr(watch, "find", refuse)
    return monkeypatch


@pytest.mark.django_db(transaction=True)
def test_it_tells_without_a_database(clock, hook, database_off):
    assert not watch.look()
    assert hook.taken == []
    for _ in range(3):
        clock.shift(timedelta(seconds=31))
        with pytest.raises(CommandError, match="does not answer"):
            call_command("watchdog", "--once")
    assert told(hook) == [("opened", "database_down")]

    database_off.undo()
    look_after(clock, minutes=1)
    look_after(clock, minutes=1)

    assert told(hook) == [("opened", "database_down"), ("recovered", "database_down")]
    kept = Alert.objects.get()
    assert (kept.rule, kept.recovered_at is None) == ("database_down", False)


# --- The ways in ---


def test_it_leaves_a_sign_of_life_whatever_it_saw(settings, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def refuse():
        os.kill(os.getpid(), signal.SIGTERM)
        return False

    monkeypatch.setattr(watch, "look", refuse)
    try:
        call_command("watchdog")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert Path(settings.WATCHDOG_STATE).with_suffix(".alive").exists()


def test_the_command_tests_the_channels(hook, capsys):
    call_command("watchdog", "--test-channels")

    assert told(hook) == [("opened", "test")]
    assert "webhook: told" in capsys.readouterr().out


def test_the_command_says_when_there_is_no_channel():
    with pytest.raises(CommandError, match="No channel is set"):
        call_command("watchdog", "--test-channels")


def test_a_company_sees_its_own_and_the_operator_all(get, client, alpha, beta, owe, clock):
    owe(alpha.lane, "conflict")
    make_breaker_open()
    look_after(clock)
    _, operator = ApiToken.issue(name="op", scopes=["platform:admin"])

    assert [a["rule"] for a in get("/api/alerts/", alpha, open="true").json()["results"]] == [
        "conflict"
    ]
    assert get("/api/alerts/", beta).json()["results"] == []
    rules = [a["rule"] for a in get("/api/alerts/", operator).json()["results"]]
    assert sorted(rules) == ["breaker_open", "conflict"]
    assert get("/api/alerts/", operator, severity="loud").status_code == 400


def test_staff_send_a_test_from_the_admin(client, django_user_model, hook):
    user = django_user_model.objects.create(username="op", is_staff=True, is_superuser=True)
    client.force_login(user)
    page = client.get("/admin/monitoring/alert/")
    assert b"Send a test to every channel" in page.content

    assert client.get("/admin/monitoring/alert/test-channels/").status_code == 405
    client.post("/admin/monitoring/alert/test-channels/")
    assert told(hook) == [("opened", "test")]
    hook.status = 500
    refused = client.post("/admin/monitoring/alert/test-channels/", follow=True)
    assert b"webhook: ValueError: It answered 500." in refused.content
    django_user_model.objects.update(is_superuser=False)
    assert client.post("/admin/monitoring/alert/test-channels/").status_code == 403
