"""When a host stops answering nobody knocks; one harmless question opens the lanes again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Call
from devices.tests.fake_kra import answer, said, signed
from kra.errors import DeviceRefused, OutcomeUnknown, Rejected, Unavailable
from outbox import breaker, tasks
from outbox.models import Breaker, Lane, Status

from .toy import PAGE

pytestmark = pytest.mark.django_db
HOST = "simulator/direct"
DEAD = Unavailable("connect_failed", "Nothing was sent.")


@pytest.fixture(autouse=True)
def quick(settings):
    settings.OUTBOX_BREAKER_THRESHOLD = 3
    settings.OUTBOX_BREAKER_COOLDOWN = 15.0
    settings.OUTBOX_RAMP_LANES_PER_SECOND = 20.0


@pytest.fixture
def fail(deliver, pass_time, kra):
    def act(*errors):
        for error in errors:
            kra.script(error)
            deliver()
            pass_time()
            breaker.forget()

    return act


def test_it_opens_after_failures_in_a_row(debt, deliver, fail, kra):
    row = debt("R-1")
    fail(DEAD, DEAD)
    assert not breaker.is_open(HOST)

    fail(DEAD)

    assert breaker.is_open(HOST)
    assert deliver() is True
    assert kra.asked == ["sales_save"] * 3
    row.refresh_from_db()
    assert row.status == Status.QUEUED
    found = Breaker.objects.get()
    assert (found.failures, found.last_error) == (3, "connect_failed: Nothing was sent.")
    assert str(found) == f"{HOST} open"


def test_a_success_in_between_starts_the_count_anew(debt, fail):
    debt("R-1")
    fail(DEAD, DEAD, signed())
    debt("R-2")

    fail(DEAD, DEAD)

    assert not breaker.is_open(HOST)
    assert str(Breaker.objects.get()) == f"{HOST} closed"


def test_an_open_breaker_is_not_closed_by_a_late_success(debt, fail):
    debt("R-1")
    fail(DEAD, DEAD, DEAD)

    breaker.note_success(HOST)
    breaker.forget()

    assert breaker.is_open(HOST)


FAULTS = [
    ("not sent", DEAD, True),
    ("nothing heard", OutcomeUnknown("read_timeout"), True),
    ("gateway page", OutcomeUnknown("http_502"), True),
    ("no token", Unavailable("token_unavailable"), True),
    ("too many", Unavailable("http_429"), False),
    ("our keys", Unavailable("token_refused"), False),
    ("KRA is busy", Unavailable("990"), False),
    ("KRA's own trouble", OutcomeUnknown("999"), False),
    ("a code nobody knows", OutcomeUnknown("E99"), False),
    ("no signature", OutcomeUnknown("incomplete_answer"), False),
    ("sequence", OutcomeUnknown("invoice_sequence", expected_number=4), False),
    ("message refused", Rejected("910"), False),
    ("device refused", DeviceRefused("901"), False),
]


@pytest.mark.parametrize(("_case", "error", "is_fault"), FAULTS)
def test_only_silence_of_the_host_counts(db, _case, error, is_fault):
    for _ in range(3):
        breaker.note_failure(HOST, error)

    assert breaker.is_open(HOST) == is_fault


def test_look_ups_count_as_well(debt, fail):
    debt("R-1")

    fail(OutcomeUnknown("read_timeout"), PAGE, answer("<html>", status=503))

    assert breaker.is_open(HOST)


def test_another_process_sees_it_within_a_second(db, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("outbox.breaker.time.monotonic", lambda: now[0])
    assert not breaker.is_open(HOST)
    Breaker.objects.create(host=HOST, is_open=True)

    now[0] += 0.9
    assert not breaker.is_open(HOST)
    now[0] += 0.2
    assert breaker.is_open(HOST)


def test_the_other_host_goes_on(db):
    for _ in range(3):
        breaker.note_failure(HOST, DEAD)

    assert not breaker.is_open("sandbox/direct")


@pytest.fixture
def open_breaker(lane):
    now = timezone.now()
    return Breaker.objects.create(
        host=HOST, is_open=True, failures=9, opened_at=now, probe_at=now - timedelta(seconds=1)
    )


def test_one_process_probes_per_cooldown(open_breaker):
    assert breaker.take_probe(HOST)
    assert not breaker.take_probe(HOST)

    open_breaker.refresh_from_db()
    wait = (open_breaker.probe_at - timezone.now()).total_seconds()
    assert 11 < wait < 18.1  # the cooldown, give or take a fifth


def test_it_asks_nobody_before_the_cooldown_is_over(open_breaker, kra):
    Breaker.objects.update(probe_at=timezone.now() + timedelta(seconds=5))

    tasks.probe()

    assert kra.sent == []


def test_a_host_that_answers_gets_its_lanes_back(open_breaker, debt, deliver, kra):
    debt("R-1")
    kra.script(said("001"), signed())

    tasks.probe()
    breaker.forget()
    Lane.objects.update(resume_at=None)
    deliver()

    assert kra.asked == ["notice_list", "sales_save"]
    found = Breaker.objects.get()
    assert (found.is_open, found.failures, found.closed_at is not None) == (False, 0, True)


ANSWERS = [
    ("success", said("000", data={}), True),
    ("a verdict", said("910"), True),
    ("the device is refused", said("901"), True),
    ("busy", said("990"), True),
    ("silence", DEAD, False),
    ("nothing heard", OutcomeUnknown("read_timeout"), False),
    ("a page", answer("<html>", status=502), False),
]


@pytest.mark.parametrize(("_case", "reply", "closes"), ANSWERS)
def test_any_word_of_kras_closes_it(open_breaker, kra, _case, reply, closes):
    kra.script(reply)

    tasks.probe()

    assert Breaker.objects.get().is_open != closes


def test_the_probe_is_no_sale(open_breaker, debt, kra):
    debt("R-1")
    kra.script(DEAD)

    tasks.probe()

    assert kra.asked == ["notice_list"]
    assert Call.objects.get().transmission is None


def test_a_host_without_an_active_device_cannot_be_probed(open_breaker, device, kra):
    type(device).objects.update(state="suspended")

    tasks.probe()

    assert kra.sent == []
    assert Breaker.objects.get().is_open


def test_a_host_without_an_address_does_not_keep_others_from_their_probe(
    open_breaker, add_device, settings, kra
):
    settings.KRA_HOSTS = settings.KRA_HOSTS | {("production", "direct"): ("", "")}
    add_device("dvc9", pin="B000000002B", environment="production")
    past = timezone.now() - timedelta(seconds=1)
    Breaker.objects.create(host="production/direct", is_open=True, probe_at=past)
    kra.script(said("001"))

    tasks.probe()

    assert kra.asked == ["notice_list"]
    assert not Breaker.objects.get(host=HOST).is_open


def test_closing_starts_the_lanes_one_after_the_other(open_breaker, add_device, debt, settings):
    settings.OUTBOX_RAMP_LANES_PER_SECOND = 2.0
    lanes = [Lane.objects.create(device=add_device(f"d{n}"), stream="fiscal") for n in range(4)]
    idle = Lane.objects.create(device=add_device("idle"), stream="fiscal")
    for n, lane in enumerate(lanes):
        debt(f"R-{n}", lane=lane)
    before = timezone.now()

    assert breaker.close(HOST) == 4

    starts = Lane.objects.order_by("resume_at").values_list("resume_at", flat=True)
    waits = [(start - before).total_seconds() for start in starts if start is not None]
    assert [round(wait * 2) for wait in waits] == [0, 1, 2, 3]
    idle.refresh_from_db()
    assert idle.resume_at is None


def test_closing_leaves_other_hosts_alone(open_breaker, add_device, debt):
    other = add_device("dvc9", pin="B000000002B", environment="sandbox")
    lane = Lane.objects.create(device=other, stream="fiscal")
    debt("R-1", lane=lane)

    breaker.close(HOST)

    lane.refresh_from_db()
    assert lane.resume_at is None


def test_closing_twice_ramps_once(open_breaker, debt):
    debt("R-1")
    breaker.close(HOST)
    Lane.objects.update(resume_at=None)

    assert breaker.close(HOST) == 0

    assert Lane.objects.get().resume_at is None
