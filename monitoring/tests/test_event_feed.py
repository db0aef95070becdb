"""The feed: in order, and no event is ever missed."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from companies.models import COMPANY_SCOPES, ApiToken
from monitoring.models import Event, Feed
from monitoring.webhooks import feed, pruning
from monitoring.webhooks.recording import record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def token(alpha):
    return ApiToken.objects.get(company=alpha.company)


def happen(device, name=""):
    record("device.state", device.pk, {"message": name})


def names(found):
    return [event.data.message for event in found.events]


def collect(token, place, count):
    """Ask until so many came: other databases of the cluster may hold the feed back a little."""
    seen: list[str] = []
    until = time.monotonic() + 30
    while True:
        found = feed.read(token, place, kinds=[], limit=50)
        seen, place = seen + names(found), found.next
        if len(seen) >= count or time.monotonic() > until:
            return seen, place
        time.sleep(0.1)


def test_it_gives_what_came_since(alpha, token):
    happen(alpha.device, "a")
    first, place = collect(token, "", 1)
    happen(alpha.device, "b")

    second, place = collect(token, place, 1)

    assert (first, second) == (["a"], ["b"])
    assert names(feed.read(token, place, kinds=[], limit=50)) == []


def test_it_waits_for_a_transaction_that_began_earlier(alpha, token):
    """Its rows have smaller ids than what is committed already."""
    may_commit, has_written = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            happen(alpha.device, "early")
            has_written.set()
            may_commit.wait(10)
        connections.close_all()

    worker = threading.Thread(target=slow)
    worker.start()
    has_written.wait(10)
    happen(alpha.device, "late")
    before = feed.read(token, "", kinds=[], limit=50)
    may_commit.set()
    worker.join(10)
    after, _ = collect(token, before.next, 2)

    assert names(before) == []
    assert after == ["early", "late"]


def test_no_event_is_missed_under_many_writers(alpha, token):
    writers, each = 6, 25
    until: list[float] = []
    seen: list[str] = []

    def write(writer):
        for n in range(each):
            with transaction.atomic():
                happen(alpha.device, f"{writer}/{n}/1")
                time.sleep(random.uniform(0, 0.01))
                happen(alpha.device, f"{writer}/{n}/2")
        connections.close_all()

    def follow():
        place = ""
        while True:
            found = feed.read(token, place, kinds=[], limit=7)
            place = found.next
            seen.extend(names(found))
            is_late = until and time.monotonic() > until[0]
            if len(seen) == 2 * writers * each or is_late:
                break
        connections.close_all()

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    until.append(time.monotonic() + 30)
    reader.join(40)

    wanted = {f"{w}/{n}/{k}" for w in range(writers) for n in range(each) for k in (1, 2)}
    assert set(seen) == wanted
    assert len(seen) == len(wanted)


def test_a_place_that_was_pruned_is_said_to_be_gone(get, alpha, token):
    happen(alpha.device, "old")
    _, place = collect(token, "", 1)
    Event.objects.update(created_at=timezone.now() - timedelta(days=31))
    happen(alpha.device, "new")

    assert pruning.prune() == 1
    assert collect(token, place, 1)[0] == ["new"]
    gone = get("/api/events/", alpha, after="1-1-1")
    assert gone.status_code == 410
    assert gone.json()["error"]["code"] == "cursor_expired"


def test_rows_from_another_cluster_are_found_again(alpha, token):
    happen(alpha.device, "moved")
    Event.objects.update(recorded_in=10**17)
    place = feed.read(token, "latest", kinds=[], limit=50).next

    assert pruning.mend_moved()
    assert not pruning.mend_moved()
    assert names(feed.read(token, "", kinds=[], limit=50)) == ["moved"]
    with pytest.raises(feed.PlaceUnknown):
        feed.read(token, place, kinds=[], limit=50)
    assert Feed.objects.get().era == 2


def test_a_till_sees_its_own_device(get, alpha, open_device):
    other = open_device(alpha.company, "alpha-2")
    for device in (alpha.device, other):
        happen(device, device.serial)
    _, secret = ApiToken.issue(
        name="till", scopes=COMPANY_SCOPES, company=alpha.company, device=other
    )

    till = ApiToken.objects.get(name="till")
    collect(till, "", 1)
    shown = get("/api/events/", secret).json()["events"]
    assert [event["data"]["device"] for event in shown] == ["alpha-2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("after", "x"), ("wait", "nan"), ("wait", "-1"), ("limit", "0"), ("type", "sale")],
)
def test_it_names_the_parameter_that_is_wrong(get, alpha, name, value):
    response = get("/api/events/", alpha, **{name: value})

    assert response.status_code == 400
    assert response.json()["error"]["detail"][0]["field"] == name


def test_it_waits_for_something_to_happen(get, alpha, monkeypatch):
    monkeypatch.setattr(feed, "LOOK_EVERY_S", 0.05)
    place = get("/api/events/", alpha, after="latest").json()["next"]

    def later():
        time.sleep(0.3)
        happen(alpha.device, "x")
        connections.close_all()

    worker = threading.Thread(target=later)
    worker.start()
    found = get("/api/events/", alpha, after=place, wait="20").json()
    worker.join(5)

    assert len(found["events"]) == 1
