"""A chain goes on behind a break, and never looks whole again."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.events import announce
from devices.models import SigningKey
from devices.services import change_state, generate_keys, import_key
from monitoring.journal import checkpoints, follower
from monitoring.journal.comparing import verify_device
from monitoring.models import JournalEntry, UnjournaledFact

from .test_journal import bodies, follow
from .test_journal_verify import check, device, export_to, on_file, tamper  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def resume(device, reason="entries were removed by a thief"):  # noqa: F811
    call_command("resume_journal", device=device.serial, reason=reason)


def test_a_whole_chain_is_not_resumed(device):  # noqa: F811
    with pytest.raises(CommandError, match="ends where it was left"):
        resume(device)

    assert JournalEntry.objects.count() == 9


def test_it_goes_on_behind_a_cut_tail(device, tamper, check):  # noqa: F811
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")
    announce("counter_set", device.pk, after=1)
    assert follow() == 0

    resume(device)
    follow()

    ten = next(body for body in bodies(device) if body["kind"] == "resumed")
    assert (ten["sequence"], ten["previous"]) == (10, JournalEntry.objects.get(sequence=7).hash)
    assert ten["facts"]["left_after"]["sequence"] == 9
    assert ten["facts"]["found"]["sequence"] == 7
    here, there = check()
    # The gap and the entry that says so; the calls of the lost entries were entered again.
    assert here == there == [("deleted_entry", 10), ("resumed", 10)]
    assert sorted(b["kind"] for b in bodies(device)[8:]) == ["call", "call", "counter_set"]


def test_what_follows_is_still_checked(device, tamper, check):  # noqa: F811
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")
    resume(device)
    announce("counter_set", device.pk, after=1)
    follow()
    tamper("UPDATE monitoring_journalentry SET body = replace(body, '\"after\":1', '\"after\":2')")

    here, there = check()

    number = JournalEntry.objects.get(kind="counter_set").sequence
    for found in (here, there):
        assert ("edited_entry", number) in found


def test_it_goes_on_after_a_key_entry_was_cut(device, tamper, check):  # noqa: F811
    """The chain goes on under the first key, and announces the second anew."""
    key = JournalEntry.objects.filter(kind="key").latest("sequence").sequence
    tamper(f"DELETE FROM monitoring_journalentry WHERE sequence >= {key}")

    resume(device)
    follow()

    here, there = check()
    assert here == there == [("deleted_entry", 10), ("resumed", 10)]


def test_it_goes_on_when_nothing_is_left(device, tamper, check):  # noqa: F811
    tamper("DELETE FROM monitoring_journalentry")

    resume(device)
    follow()

    here, there = check()
    # The first key is announced anew, by itself; an export has nothing before it to miss.
    assert here == [("deleted_entry", 10), ("resumed", 11)]
    assert there == [("resumed", 11)]


def test_it_goes_on_under_a_new_key_when_the_old_one_is_lost(device, check):  # noqa: F811
    lose_keys(device)
    announce("counter_set", device.pk, after=1)
    assert follow() == 0

    resume(device, "the key was lost in the fire")
    follow()

    here, there = check()
    assert there == [("wrong_key", 10), ("resumed", 11)]
    assert here == there
    assert SigningKey.objects.filter(device=device).count() == 3
    assert bodies(device)[-1]["kind"] == "counter_set"


def lose_keys(device):  # noqa: F811
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE devices_signingkey SET private_key = 'unreadable' WHERE device_id = %s",
            [device.pk],
        )


def test_a_reason_is_needed_and_nothing_is_half_written(device, tamper):  # noqa: F811
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")

    with pytest.raises(CommandError, match="reason"):
        resume(device, " ")

    assert JournalEntry.objects.count() == 7
    with pytest.raises(follower.JournalBroken):
        follower.append(device.pk)


def test_a_lost_key_of_one_device_stops_no_other_checkpoint(alpha, beta, make_call):
    make_call(alpha), make_call(beta)
    follow()
    lose_keys(alpha.device)

    assert checkpoints.daily() == 1
    assert checkpoints.journal_checkpoint(alpha.device) is None


def test_a_cut_chain_gets_no_checkpoint(device, tamper):  # noqa: F811
    """A Z that prints the end of a cut chain would vouch for it."""
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")

    assert checkpoints.journal_checkpoint(device) is None


def test_each_state_of_a_device_is_a_fact(alpha):
    change_state(alpha.device, to="suspended", reason="till stolen")
    alpha.device.refresh_from_db()
    import_key(company=alpha.company, branch=alpha.branch, serial="alpha-1", key="k", scu_id="S1")

    rows = UnjournaledFact.objects.order_by("pk").values_list("kind", "facts")
    assert list(rows) == [
        ("device_state", {"state": "suspended", "reason": "till stolen"}),
        ("key_imported", {"scu_id": "S1"}),
        ("device_state", {"state": "active", "reason": "key imported"}),
    ]
    generate_keys(alpha.device)
    follow()
    assert verify_device(alpha.device)[1] == []
