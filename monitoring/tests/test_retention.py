"""What is old goes, in small steps, and nothing else: the journal stays provable."""

import time
from datetime import timedelta
from io import StringIO
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from core.checks import production_settings
from devices.models import Call
from monitoring.journal.comparing import verify_device
from monitoring.models import Alert, LegalHold, PruneMark, UnjournaledFact
from monitoring.retention import holds, pruning, windows
from outbox.models import Transmission

from .test_journal import bodies, follow
from .test_journal_verify import export_to, on_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old_call(alpha, make_call):
    def build(days=600, **fields):
        at = timezone.now() - timedelta(days=days)
        return make_call(alpha, started_at=at, request='{"n":1}', answer='{"ok":1}', **fields)

    return build


def prune(seconds=20.0):
    return pruning.prune(until=time.monotonic() + seconds)


def empty():
    rows = Call.objects.filter(request="", answer="", pruned_at__isnull=False)
    return set(rows.values_list("pk", flat=True))


def is_whole(device, folder):
    follow()
    assert verify_device(device)[1] == []
    assert on_file(export_to(device, folder)) == []


def test_old_bodies_go_and_both_verifiers_agree(alpha, old_call, get, tmp_path):
    old = [old_call().pk for _ in range(3)]
    young = old_call(days=500)
    follow()

    assert prune()["calls"] == 3

    assert empty() == set(old)
    is_whole(alpha.device, tmp_path)
    told = bodies(alpha.device)[-1]
    assert told["kind"] == "bodies_pruned"
    assert told["facts"]["runs"] == [[old[0], old[-1]]]
    shown = get(f"/api/logs/{old[0]}/", alpha).json()
    assert (shown["request"], bool(shown["pruned_at"])) == ("", True)
    assert get(f"/api/logs/{young.pk}/", alpha).json()["pruned_at"] is None
    assert prune()["calls"] == 0


def test_what_was_only_asked_goes_earlier(old_call, alpha, tmp_path):
    asked = old_call(days=100, endpoint="item_class_list")
    told = old_call(days=100)
    proof = old_call(days=100, endpoint="invoice_details")
    follow()

    prune()

    assert empty() == {asked.pk}
    assert not {told.pk, proof.pk} & empty()
    is_whole(alpha.device, tmp_path)


def test_an_emptied_body_between_pruned_ones_is_still_found(alpha, old_call):
    """The chain names what went by runs, so what stayed between is not excused."""
    old_call(days=100, endpoint="item_class_list")
    told = old_call(days=100)
    old_call(days=100, endpoint="item_class_list")
    follow()
    prune()
    follow()

    Call.objects.filter(pk=told.pk).update(request="", answer="", pruned_at=timezone.now())

    assert {finding.code for finding in verify_device(alpha.device)[1]} == {"changed_row"}


def test_nothing_goes_before_it_is_in_the_journal(old_call, alpha, tmp_path):
    call = old_call()

    assert prune()["stay"] == 1
    assert empty() == set()
    follow()
    assert prune()["calls"] == 0  # the mark has passed it
    PruneMark.objects.update(round_at=timezone.now() - timedelta(days=31))
    assert prune()["calls"] == 1
    assert empty() == {call.pk}
    is_whole(alpha.device, tmp_path)


def test_a_changed_body_is_not_wiped(old_call, alpha):
    call = old_call()
    follow()
    Call.objects.filter(pk=call.pk).update(request='{"n":2}')

    done = prune()

    assert (done["calls"], done["stay"]) == (0, 1)
    assert [finding.code for finding in verify_device(alpha.device)[1]] == ["changed_row"]


def test_calls_of_an_unsettled_message_stay(old_call, owe, alpha):
    row = owe(alpha.lane, "conflict")
    old_call(transmission=row.pk)
    follow()

    assert prune()["stay"] == 1
    assert empty() == set()


def test_frozen_bytes_go_after_years_and_only_of_accepted_messages(
    owe, alpha, settings, old_call, tmp_path
):
    long_ago = timezone.now() - timedelta(days=8 * 366)
    old = owe(alpha.lane, "accepted", finished_at=long_ago, content=b"{}")
    recent = owe(alpha.lane, "accepted", finished_at=timezone.now() - timedelta(days=6 * 366))
    waiting = owe(alpha.lane, "conflict")
    refused = owe(alpha.lane, "refused", finished_at=long_ago, body=b"x")
    call = old_call(transmission=old.pk)

    assert prune()["fiscal"] == 0  # its call is in no journal yet
    follow()
    PruneMark.objects.all().delete()
    assert prune()["fiscal"] == 1

    lengths = {
        row.pk: len(bytes(row.body)) for row in Transmission.objects.all() if row.body is not None
    }
    assert lengths[old.pk] == 0
    assert all(lengths[row.pk] for row in (recent, waiting, refused))
    assert call.pk in empty()
    is_whole(alpha.device, tmp_path)


def test_production_keeps_five_years_whatever_the_setting(owe, alpha, settings):
    settings.FISCAL_KEEP_YEARS = 1
    owe(alpha.lane, "accepted", finished_at=timezone.now() - timedelta(days=3 * 366))
    alpha.company.environment = "production"
    alpha.company.save()

    assert prune()["fiscal"] == 0
    assert "etims.E010" in {each.id for each in production_settings()}
    alpha.company.environment = "sandbox"
    alpha.company.save()
    assert prune()["fiscal"] == 1


@pytest.mark.parametrize("is_whole_company", [True, False])
def test_under_a_hold_nothing_goes(alpha, beta, old_call, make_call, is_whole_company, tmp_path):
    mine = old_call()
    old = timezone.now() - timedelta(days=600)
    theirs = make_call(beta, started_at=old, request="{}")
    follow()
    device = None if is_whole_company else alpha.device
    hold = holds.place(alpha.company, device, reason="audit 114", by="KRA")

    prune()

    assert empty() == {theirs.pk}
    holds.release(hold, reason="over", by="KRA")
    prune()
    assert empty() == {mine.pk, theirs.pk}
    is_whole(alpha.device, tmp_path)
    kinds = [body["kind"] for body in bodies(alpha.device)]
    assert kinds[-3:] == ["hold_placed", "hold_released", "bodies_pruned"]
    with pytest.raises(holds.AlreadyReleased):
        holds.release(hold, reason="again", by="KRA")


def test_a_hold_waits_for_the_window_under_way_and_then_nothing_goes(alpha, old_call, monkeypatch):
    monkeypatch.setattr(windows, "WINDOW", 1)
    first, second = old_call(), old_call()
    follow()
    is_in, go_on = Event(), Event()
    real = windows.empty_bodies

    def slow(ids, kind):
        real(ids, kind)
        is_in.set()
        assert go_on.wait(10)

    monkeypatch.setattr(pruning, "empty_bodies", slow)
    threads = [Thread(target=in_thread(prune)), Thread(target=in_thread(place(alpha)))]
    threads[0].start()
    assert is_in.wait(10)
    threads[1].start()
    time.sleep(0.3)
    assert not LegalHold.objects.exists()
    go_on.set()
    for thread in threads:
        thread.join(20)

    assert LegalHold.objects.count() == 1
    assert first.pk in empty()
    Call.objects.filter(pk=second.pk)  # it may have gone before the hold, never after
    before = empty()
    prune()
    assert empty() == before


def place(tenant):
    return lambda: holds.place(tenant.company, None, reason="audit 114", by="KRA")


def in_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    return run


@pytest.mark.parametrize("death", ["empty_bodies", "_tell"])
def test_a_death_in_the_middle_costs_nothing(alpha, old_call, monkeypatch, death, tmp_path):
    monkeypatch.setattr(windows, "WINDOW", 2)
    for _ in range(5):
        old_call()
    follow()
    real, count = getattr(pruning, death), [0]

    def dies(*arguments):
        real(*arguments)
        count[0] += 1
        if count[0] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pruning, death, dies)
        with pytest.raises(KeyboardInterrupt):
            prune()

    assert len(empty()) == 2
    is_whole(alpha.device, tmp_path)
    assert prune()["calls"] == 3
    is_whole(alpha.device, tmp_path)


def test_two_at_once_do_it_once(alpha, old_call, tmp_path):
    for _ in range(5):
        old_call()
    follow()
    mark = PruneMark.objects.create(device=alpha.device, what="calls")

    with transaction.atomic():
        PruneMark.objects.select_for_update().get(pk=mark.pk)
        other = Thread(target=in_thread(prune))
        other.start()
        other.join(20)
        assert empty() == set()
    prune()

    assert len(empty()) == 5
    assert UnjournaledFact.objects.filter(kind="bodies_pruned").count() == 1


def test_alerts_that_are_over_go(alpha):
    long_ago = timezone.now() - timedelta(days=100)
    about = {"rule": "conflict", "severity": "warning", "company": alpha.company, "title": "t"}
    times = {"since": long_ago, "opened_at": long_ago, "seen_at": long_ago}
    Alert.objects.create(subject="over", recovered_at=long_ago, **about, **times)
    Alert.objects.create(subject="open", **about, **times)
    hold = holds.place(alpha.company, None, reason="audit 114", by="KRA")

    assert prune()["debug rows"] == 0
    holds.release(hold, reason="over", by="KRA")
    assert prune()["debug rows"] == 1
    assert Alert.objects.get().subject == "open"


def test_the_commands(alpha, old_call, tmp_path):
    old_call()
    follow()
    out = StringIO()

    call_command("prune", dry_run=True, stdout=out)
    assert "Would go: 1 calls." in out.getvalue()
    assert empty() == set()
    with pytest.raises(CommandError, match="reason"):
        call_command("legal_hold", "place", company="A000000001A")
    call_command("legal_hold", "place", company="A000000001A", reason="audit 114", stdout=out)
    assert "A000000001A  all devices" in out.getvalue()
    call_command("prune", stdout=out)
    assert "Gone: nothing." in out.getvalue()
    pk = str(LegalHold.objects.get().pk)
    call_command("legal_hold", "release", pk, reason="over", stdout=out)
    call_command("prune", stdout=out)
    assert "Gone: 1 calls." in out.getvalue()


def test_no_time_no_work(alpha, old_call):
    old_call()
    follow()

    prune(seconds=-1)

    assert empty() == set()


def test_the_api_places_a_hold_and_the_operator_releases_it(alpha, client):
    headers = {"Authorization": f"Token {alpha.secret}"}
    body = {"device": "alpha-1", "reason": "audit 114"}
    made = client.post("/api/holds/", body, "application/json", headers=headers)
    assert made.status_code == 201, made.content
    assert made.json()["device"] == "alpha-1"
    path = f"/api/holds/{made.json()['id']}/release/"
    assert client.post(path, body, "application/json", headers=headers).status_code == 403
    bad = client.post("/api/holds/", {"reason": ""}, "application/json", headers=headers)
    assert (bad.status_code, bad.json()["error"]["detail"][0]["field"]) == (400, "reason")
