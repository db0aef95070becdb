"""Keys, states, and what a connection test says."""

import hashlib
from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from companies.models import Branch
from devices.errors import WrongState
from devices.models import Call, Device, SigningKey
from devices.services import change_state, check_connection, generate_keys, import_key
from kra.errors import DeviceRefused, OutcomeUnknown, Unavailable

from .conftest import KEY
from .fake_kra import answer, said

pytestmark = pytest.mark.django_db
State = Device.State
UNIT = {"key": "IMPORTED-KEY-1", "scu_id": "KRACU0100000009", "machine_number": "KRAMW9"}


@pytest.mark.parametrize("state", [None, "registered", "suspended", "refused"])
def test_a_key_is_imported_into_a_device_at_rest(alpha, branch, add_device, kra, state):
    if state:
        add_device(alpha, state=state, state_reason="before")

    device = import_key(company=alpha, branch=branch, serial="dvc1", **UNIT)

    assert (device.state, device.key, device.scu_id) == (
        State.ACTIVE, "IMPORTED-KEY-1", "KRACU0100000009",
    )  # fmt: skip
    assert device.state_reason == "key imported"
    assert kra.sent == []


@pytest.mark.parametrize("state", ["active", "initialising"])
def test_a_device_in_use_keeps_its_key(alpha, branch, add_device, state):
    add_device(alpha, state=state)

    with pytest.raises(WrongState):
        import_key(company=alpha, branch=branch, serial="dvc1", **UNIT)

    assert Device.objects.get().key == KEY


def test_a_key_is_not_imported_into_another_branchs_device(alpha, add_device):
    add_device(alpha, state="suspended")
    other = Branch.objects.create(company=alpha, code="01", name="Mombasa")

    with pytest.raises(WrongState, match="another branch"):
        import_key(company=alpha, branch=other, serial="dvc1", **UNIT)

    assert (Device.objects.get().key, Device.objects.get().state) == (KEY, State.SUSPENDED)


MOVES = [
    ("active", "suspended", True),
    ("refused", "suspended", True),
    ("suspended", "active", True),
    ("refused", "active", True),
    ("active", "active", False),
    ("suspended", "suspended", False),
    ("registered", "active", False),
    ("registered", "suspended", False),
    ("initialising", "active", False),
    ("initialising", "suspended", False),
]


@pytest.mark.parametrize(("state", "to", "allowed"), MOVES)
def test_a_device_changes_state_along_the_drawn_lines(alpha, add_device, state, to, allowed):
    device = add_device(alpha, state=state)

    if allowed:
        change_state(device, to=to, reason="because " + "x" * 400)
    else:
        with pytest.raises(WrongState):
            change_state(device, to=to, reason="because")

    after = Device.objects.get()
    assert after.state == (to if allowed else state)
    assert after.state_reason.startswith("because") == allowed


@pytest.mark.parametrize("state", ["suspended", "refused"])
def test_a_device_without_a_key_is_not_resumed(alpha, add_device, state):
    device = add_device(alpha, state=state, key="")

    with pytest.raises(WrongState):
        change_state(device, to=State.ACTIVE, reason="because")


def test_the_database_refuses_an_active_device_without_a_key(alpha, add_device):
    with pytest.raises(IntegrityError), transaction.atomic():
        add_device(alpha, key="")


def test_a_new_key_pair_retires_the_old_one(device):
    first, second = generate_keys(device), generate_keys(device)

    first.refresh_from_db()
    assert (first.version, second.version) == (1, 2)
    assert first.retired_at is not None
    assert second.retired_at is None
    assert device.signing_keys.get(retired_at=None) == second
    assert SigningKey.objects.count() == 2
    assert str(second) == "dvc1 v2"


def test_the_parts_of_a_key_pair_belong_together(device):
    key = generate_keys(device)

    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key.private_key))
    public = bytes.fromhex(key.public_key)
    Ed25519PublicKey.from_public_bytes(public).verify(private.sign(b"evidence"), b"evidence")
    assert key.fingerprint == hashlib.sha256(public).hexdigest()


def test_the_database_refuses_two_current_keys(device):
    key = generate_keys(device)

    with pytest.raises(IntegrityError), transaction.atomic():
        SigningKey.objects.create(device=device, version=2, public_key="", private_key="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        SigningKey.objects.create(
            device=device, version=1, private_key="x", retired_at=timezone.now()
        )
    assert device.signing_keys.get(retired_at=None) == key


def verdicts(device):
    return {check.name: check.verdict for check in check_connection(device)}


UNREACHABLE = {"reachable": "failed", "authenticated": "not_tested"}
TURNED_AWAY = {"reachable": "ok", "authenticated": "failed"}


@pytest.mark.parametrize(
    ("_case", "reply", "expected"),
    [
        ("nothing sent", Unavailable("connect_failed"), UNREACHABLE),
        ("nothing heard", OutcomeUnknown("read_timeout"), UNREACHABLE),
        ("a page", answer("<html>", status=502), UNREACHABLE),
        ("key refused", said("902"), TURNED_AWAY),
        ("device refused", said("901"), TURNED_AWAY),
        ("no credentials", DeviceRefused("credentials_missing"), TURNED_AWAY),
        ("message refused", said("910"), TURNED_AWAY),
        ("KRA's own trouble", said("999"), TURNED_AWAY),
    ],
)
def test_it_tells_a_dead_line_from_a_closed_door(device, kra, _case, reply, expected):
    kra.script(reply)

    assert verdicts(device) == expected


NOW = timezone.now().replace(microsecond=0)


@pytest.mark.parametrize(
    ("_case", "kra_is_ahead", "verdict"),
    [
        ("in step", 0, "ok"),
        ("a minute", 60, "ok"),
        ("more", 61, "warning"),
        ("less", -61, "warning"),
    ],
)
def test_it_compares_the_clocks(device, kra, _case, kra_is_ahead, verdict):
    at = (NOW + timedelta(hours=3, seconds=kra_is_ahead)).strftime("%Y%m%d%H%M%S")
    kra.script(said("000", data={}, at=at))

    with time_machine.travel(NOW, tick=False):
        checks = {check.name: check for check in check_connection(device)}

    assert (checks["clock"].verdict, checks["clock"].value) == (verdict, kra_is_ahead)
    assert [checks[name].verdict for name in ("reachable", "authenticated", "latency")] == [
        "ok"
    ] * 3


def test_an_answer_without_a_time_leaves_the_clock_untested(device, kra):
    kra.script(said("000", data={}, at=None))

    assert verdicts(device)["clock"] == "not_tested"


@pytest.mark.parametrize(("ms", "verdict"), [(5000, "ok"), (5001, "warning")])
def test_it_warns_when_kra_is_slow(device, kra, ms, verdict):
    with time_machine.travel(NOW, tick=False) as clock:

        def slowly():
            clock.shift(timedelta(milliseconds=ms))
            return said("000", data={})

        kra.script(slowly)
        (latency,) = [c for c in check_connection(device) if c.name == "latency"]

    assert (latency.verdict, latency.value) == (verdict, ms)


@pytest.mark.parametrize(
    ("_case", "reply", "expected"),
    [
        ("KRA asks for the key", said("902"), "ok"),
        ("success", said("000", data={}), "ok"),
        ("nothing sent", Unavailable("dns_failed"), "failed"),
        ("a page", answer("<html>", status=502), "failed"),
    ],
)
def test_without_a_key_it_tests_the_line_alone(alpha, add_device, kra, _case, reply, expected):
    device = add_device(alpha, state="registered", key="")
    kra.script(reply)

    found = verdicts(device)

    assert (found["reachable"], found["authenticated"]) == (expected, "not_tested")
    assert Call.objects.get().finished_at is not None


@pytest.mark.parametrize("key", ["", KEY])
def test_a_missing_address_is_a_verdict(alpha, add_device, settings, key):
    device = add_device(alpha, state="suspended", key=key)
    settings.KRA_HOSTS = settings.KRA_HOSTS | {("simulator", "direct"): ("", "")}

    assert verdicts(device)["reachable"] == "failed"
    assert not Call.objects.exists()
