"""The follower: every fact once, in order, whatever commits late or dies."""

import json
import time
from datetime import timedelta
from hashlib import sha256
from threading import Event, Thread, Timer

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from core.events import announce
from devices.models import Call, SigningKey
from devices.services import generate_keys
from monitoring.journal import checkpoints, collecting, follower
from monitoring.models import (
    JournalCheckpoint,
    JournalEntry,
    JournalHead,
    JournalSource,
    UnjournaledFact,
)

pytestmark = pytest.mark.django_db(transaction=True)


def follow(seconds=20.0):
    return follower.follow(until=time.monotonic() + seconds)


def entered(device, kind="call"):
    entries = JournalEntry.objects.filter(device=device, kind=kind).order_by("sequence")
    return list(entries.values_list("source", flat=True))


def bodies(device):
    entries = JournalEntry.objects.filter(device=device).order_by("sequence")
    return [json.loads(entry.body) for entry in entries]


def test_it_enters_each_call_once(alpha, make_call):
    calls = [make_call(alpha, number=n, request=f'{{"n":{n}}}') for n in (1, 2, 3)]

    assert follow() == 4  # with the key
    assert follow() == 0

    assert entered(alpha.device) == [call.pk for call in calls]
    key, first, *_ = bodies(alpha.device)
    assert (key["kind"], key["sequence"], key["previous"]) == ("key", 1, "0" * 64)
    assert first["facts"]["endpoint"] == "sales_save"
    assert first["facts"]["request_sha256"] == sha256(b'{"n":1}').hexdigest()
    assert first["device"] == {"pin": "A000000001A", "branch": "00", "serial": "alpha-1"}
    assert not UnjournaledFact.objects.exists()


def test_each_device_has_a_chain_of_its_own(alpha, beta, make_call):
    make_call(alpha), make_call(beta), make_call(alpha)

    follow()

    assert [b["sequence"] for b in bodies(alpha.device)] == [1, 2, 3]
    assert [b["sequence"] for b in bodies(beta.device)] == [1, 2]


def test_a_call_is_entered_when_it_has_ended(alpha, make_call):
    waiting = make_call(alpha, outcome="", finished_at=None, http_status=None, answer="")
    ended = make_call(alpha)

    follow()
    assert entered(alpha.device) == [ended.pk]
    Call.objects.filter(pk=waiting.pk).update(
        finished_at=timezone.now(), outcome="accepted", http_status=200, answer="{}"
    )
    follow()

    assert entered(alpha.device) == [ended.pk, waiting.pk]


def test_a_call_that_never_ends_is_entered_as_open_and_its_late_end_too(alpha, make_call):
    long_ago = timezone.now() - timedelta(hours=2)
    dead = make_call(alpha, started_at=long_ago, outcome="", finished_at=None, http_status=None)

    follow()
    follow()
    assert entered(alpha.device, "call_open") == [dead.pk]
    assert entered(alpha.device) == []
    Call.objects.filter(pk=dead.pk).update(finished_at=timezone.now(), http_status=200)
    follow()

    assert entered(alpha.device) == [dead.pk]


class Insert:
    """A transaction that has taken its id and has not committed."""

    def __init__(self, tenant):
        self.tenant, self.go, self.has_id = tenant, Event(), Event()
        self.pk = 0
        self.thread = Thread(target=self.run)
        self.thread.start()
        assert self.has_id.wait(10)

    def run(self):
        try:
            with transaction.atomic():
                now = timezone.now()
                self.pk = Call.objects.create(
                    company=self.tenant.company, device=self.tenant.device, endpoint="sales_save",
                    request="{}", started_at=now, finished_at=now, outcome="accepted",
                ).pk  # fmt: skip
                self.has_id.set()
                self.go.wait(20)
        finally:
            connection.close()

    def commit(self):
        self.go.set()
        self.thread.join(10)


def test_it_skips_no_row_that_commits_after_later_ids(alpha, make_call, monkeypatch):
    monkeypatch.setattr(collecting, "PATIENCE_S", 0.05)
    late = Insert(alpha)
    early = make_call(alpha)
    assert early.pk > late.pk

    try:
        follow()
        assert entered(alpha.device) == []
    finally:
        late.commit()
    follow()

    assert sorted(entered(alpha.device)) == [late.pk, early.pk]


def test_it_waits_for_a_writer_that_commits_meanwhile(alpha, make_call):
    late = Insert(alpha)
    early = make_call(alpha)
    Timer(0.3, late.go.set).start()

    follow()
    late.commit()

    assert sorted(entered(alpha.device)) == [late.pk, early.pk]


class Runners:
    """Threads that end by themselves, and what went wrong in them."""

    def __init__(self, *work):
        self.errors = []
        self.threads = [Thread(target=self.run, args=[each]) for each in work]
        for thread in self.threads:
            thread.start()

    def run(self, work):
        try:
            work()
        except Exception as error:  # shown by the test
            self.errors.append(error)
        finally:
            connection.close()

    def join(self):
        for thread in self.threads:
            thread.join(60)


def test_many_writers_and_followers_at_once_lose_and_double_nothing(alpha, beta, make_call):
    done = Event()

    def write():
        for n in range(40):
            with transaction.atomic():
                make_call(alpha if n % 2 else beta)
                time.sleep(0.003 * (n % 4))

    def keep_following():
        while not done.is_set():
            follow(2.0)

    followers, writers = Runners(*[keep_following] * 2), Runners(*[write] * 4)
    writers.join()
    done.set()
    followers.join()
    follow()

    assert writers.errors + followers.errors == []
    for tenant in (alpha, beta):
        calls = Call.objects.filter(device=tenant.device).values_list("pk", flat=True)
        assert sorted(entered(tenant.device)) == sorted(calls)
        numbers = [body["sequence"] for body in bodies(tenant.device)]
        assert numbers == list(range(1, len(calls) + 2))


def test_a_long_history_is_entered_in_batches(alpha, make_call, monkeypatch):
    follow()  # up to here: ids go on from test to test, and chunks are counted in ids
    monkeypatch.setattr(follower, "BATCH", 3)
    monkeypatch.setattr(collecting, "CHUNK", 2)
    calls = [make_call(alpha) for _ in range(8)]

    follow()

    assert entered(alpha.device) == [call.pk for call in calls]


@pytest.mark.parametrize("moment", ["head.save", "bulk_create", "delete"])
def test_a_follower_that_dies_leaves_no_gap_and_no_double(alpha, make_call, monkeypatch, moment):
    call = make_call(alpha)

    class Died(Exception):
        pass

    def die(*_, **__):
        raise Died

    target, name = {
        "head.save": (JournalHead, "save"),
        "bulk_create": (JournalEntry.objects, "bulk_create"),
        "delete": (UnjournaledFact.objects, "filter"),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(target, name, die)
        with pytest.raises(Died):
            follow()
    follow()

    assert [b["sequence"] for b in bodies(alpha.device)] == [1, 2]
    assert entered(alpha.device) == [call.pk]
    assert SigningKey.objects.filter(device=alpha.device).count() == 1


def test_a_new_key_is_announced_under_the_old_one(alpha, make_call):
    make_call(alpha)
    follow()
    old = SigningKey.objects.get(device=alpha.device)

    new = generate_keys(alpha.device)
    follow()
    make_call(alpha)
    follow()

    keys = [(body["kind"], body["key"]) for body in bodies(alpha.device)]
    assert keys == [
        ("key", old.fingerprint),
        ("call", old.fingerprint),
        ("key", old.fingerprint),
        ("call", new.fingerprint),
    ]


def test_a_noted_fact_comes_with_what_its_transaction_changed(alpha):
    with transaction.atomic():
        announce("counter_set", alpha.device.pk, after=1)
        transaction.set_rollback(True)
    announce("counter_set", alpha.device.pk, after=2, huge=2**60)

    follow()

    _, noted = bodies(alpha.device)
    assert noted["kind"] == "counter_set"
    assert (noted["facts"]["after"], noted["facts"]["huge"]) == (2, str(2**60))


def test_it_enters_receipts_with_the_figures_of_their_document(alpha, sell):
    invoice = sell(alpha)

    follow()

    (body,) = [b for b in bodies(alpha.device) if b["kind"] == "receipt"]
    document = body["facts"]["document"]
    assert (document["reference"], document["total"]) == (invoice.reference, "1160.00")
    assert document["letters"] == {"B": ["1000.00", "160.00"]}
    assert body["facts"]["signature"] == "SIGNATURE"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE monitoring_journalentry SET body = ''",
        "DELETE FROM monitoring_journalentry",
        "UPDATE monitoring_journalcheckpoint SET body = ''",
        "DELETE FROM monitoring_journalcheckpoint",
    ],
)
def test_the_database_refuses_changes(alpha, make_call, statement):
    make_call(alpha)
    follow()
    checkpoints.daily()

    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("table", ["journalentry", "journalcheckpoint"])
def test_the_database_refuses_to_empty_it(db, table):
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE monitoring_{table} CASCADE")


def test_one_broken_device_does_not_stop_the_others(alpha, beta, make_call):
    make_call(alpha), make_call(beta)
    follow()
    JournalHead.objects.filter(device=alpha.device).update(hash="f" * 64)
    late, fine = make_call(alpha), make_call(beta)

    follow()

    assert late.pk not in entered(alpha.device)
    assert fine.pk in entered(beta.device)


def test_its_lag_is_seen_wherever_the_fact_waits(alpha, make_call):
    assert follower.lag_s() == 0
    make_call(alpha, started_at=timezone.now() - timedelta(minutes=5))

    assert 299 < follower.lag_s() < 310
    collecting.collect(until=time.monotonic() + 5)
    assert 299 < follower.lag_s() < 310
    follow()

    assert follower.lag_s() == 0
    assert JournalSource.objects.get(kind="call").closed_id > 0


def test_a_day_has_one_checkpoint(alpha, beta, make_call):
    make_call(alpha)
    follow()

    assert (checkpoints.daily(), checkpoints.daily()) == (1, 0)
    (row,) = JournalCheckpoint.objects.all()
    body = json.loads(row.body)
    last = JournalEntry.objects.filter(device=alpha.device).latest("sequence")
    assert (body["sequence"], body["hash"]) == (2, last.hash)


def test_a_z_takes_a_checkpoint_and_writes_nothing(alpha, make_call):
    assert checkpoints.journal_checkpoint(alpha.device) is None
    make_call(alpha)
    follow()

    given = checkpoints.journal_checkpoint(alpha.device) or {}

    assert list(given) == ["sequence", "hash", "at", "key", "signature"]
    assert given["sequence"] == 2
    assert not JournalCheckpoint.objects.exists()
