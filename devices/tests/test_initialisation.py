"""KRA gives a device's key out once: it is stored before anyone looks at it, and never lost."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import Branch, Company
from core.errors import Upstream
from devices.errors import (
    AlreadyInstalled,
    ChecklistFailed,
    DeviceRejected,
    InitialisationLost,
    InitialisationUnderWay,
)
from devices.initialisation import initialise
from devices.models import Call, Device
from kra.errors import OutcomeUnknown, Unavailable

from .conftest import KEY
from .fake_kra import answer, said

pytestmark = pytest.mark.django_db
State = Device.State


def opened(company, **more):
    """KRA's answer to a first initialisation."""
    info = {
        "tin": company.pin, "bhfId": "00", "bhfNm": "Head office", "taxprNm": "BARAKA STORES LTD",
        "dvcId": "450001", "sdcId": "KRACU0100000001", "mrcNo": "KRAMW010001", "cmcKey": KEY,
    }  # fmt: skip
    return said("000", "It is succeeded", {"info": info | more})


class ProcessDied(BaseException):
    """Not even `except Exception` sees a kill."""


def die():
    raise ProcessDied


def test_it_keeps_the_key_and_what_kra_tells(alpha, branch, kra):
    kra.script(opened(alpha))

    device = initialise(company=alpha, branch=branch, serial="dvc1")

    assert (device.state, device.key, device.state_reason) == (State.ACTIVE, KEY, "")
    assert (device.scu_id, device.machine_number) == ("KRACU0100000001", "KRAMW010001")
    assert device.kra_device_id == "450001"
    assert device.initialised_at is not None
    assert kra.sent[0].members == {"tin": alpha.pin, "bhfId": "00", "dvcSrlNo": "dvc1"}
    alpha.refresh_from_db()
    assert alpha.registered_name == "BARAKA STORES LTD"
    assert alpha.pin_verified_at is not None


def test_an_active_device_is_returned_without_asking_kra(alpha, branch, device, kra):
    again = initialise(company=alpha, branch=branch, serial=device.serial)

    assert again.pk == device.pk
    assert kra.sent == []


def test_the_call_is_on_record_without_the_key(alpha, branch, kra):
    kra.script(opened(alpha))

    initialise(company=alpha, branch=branch, serial="dvc1")

    call = Call.objects.get()
    assert (call.endpoint, call.outcome, call.code) == ("init", Call.Outcome.ACCEPTED, "000")
    assert KEY not in call.answer
    assert json.loads(call.answer)["data"]["info"]["cmcKey"] == "***"
    assert json.loads(call.answer)["data"]["info"]["sdcId"] == "KRACU0100000001"


REFUSALS = [
    ("901", DeviceRejected, "device_rejected"),
    ("902", AlreadyInstalled, "device_already_installed"),
    ("903", DeviceRejected, "device_rejected"),
    ("910", DeviceRejected, "device_rejected"),
]


@pytest.mark.parametrize(("code", "error", "word"), REFUSALS)
def test_a_refusal_says_what_to_do_and_can_be_repeated(alpha, branch, kra, code, error, word):
    kra.script(said(code, "no"), opened(alpha))

    with pytest.raises(error) as raised:
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert raised.value.code == word
    assert raised.value.help
    device = Device.objects.get()
    assert (device.state, device.key) == (State.REGISTERED, "")
    assert device.state_reason == f"{code}: no"
    assert initialise(company=alpha, branch=branch, serial="dvc1").state == State.ACTIVE


@pytest.mark.parametrize(
    ("_case", "reply"),
    [
        ("lost answer", OutcomeUnknown("read_timeout")),
        ("reset", OutcomeUnknown("connection_reset")),
        ("gateway page", answer("<html>", status=502)),
        ("success without data", said("000")),
        ("success with an empty key", said("000", data={"info": {"cmcKey": None}})),
        ("cut in the middle", answer('{"resultCd":"000","data":{"info":{"cmcKey":"CMCK')),
    ],
)
def test_a_lost_answer_is_asked_for_again(alpha, branch, kra, _case, reply):
    kra.script(reply, opened(alpha))

    with pytest.raises((InitialisationLost, DeviceRejected)) as raised:
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert raised.value.code == "initialisation_outcome_unknown"
    assert Device.objects.get().state == State.REGISTERED
    assert initialise(company=alpha, branch=branch, serial="dvc1").key == KEY


def test_a_refusal_that_mentions_the_key_is_not_taken_for_one(alpha, branch, kra):
    kra.script(said("901", "cmcKey of this device is not valid"), opened(alpha))
    with pytest.raises(DeviceRejected):
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert initialise(company=alpha, branch=branch, serial="dvc1").key == KEY
    assert kra.asked == ["init", "init"]


def test_what_was_never_sent_is_no_lost_answer(alpha, branch, kra):
    kra.script(Unavailable("connect_failed", "Nothing was sent."))

    with pytest.raises(Upstream) as raised:
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert (raised.value.code, raised.value.status) == ("kra_unavailable", 502)
    assert Device.objects.get().state == State.REGISTERED


def test_a_crash_after_the_answer_was_stored_costs_nothing(alpha, branch, kra, monkeypatch):
    """The process dies while it reads KRA's answer; the next request reads it again."""
    kra.script(opened(alpha))
    with monkeypatch.context() as patch:
        patch.setattr("devices.initialisation.finish_call", lambda *_: die())
        with pytest.raises(ProcessDied):
            initialise(company=alpha, branch=branch, serial="dvc1")
    assert KEY in Device.objects.get().init_answer

    device = initialise(company=alpha, branch=branch, serial="dvc1")

    assert (device.state, device.key) == (State.ACTIVE, KEY)
    assert kra.asked == ["init"]


def test_a_process_that_died_before_the_answer_blocks_for_a_while(alpha, branch, kra, settings):
    settings.KRA_READ_TIMEOUT = 30.0
    kra.script(die, said("902", "installed"))
    with pytest.raises(ProcessDied):
        initialise(company=alpha, branch=branch, serial="dvc1")

    with pytest.raises(InitialisationUnderWay):
        initialise(company=alpha, branch=branch, serial="dvc1")
    assert kra.asked == ["init"]

    old = timezone.now() - timedelta(seconds=61)
    Device.objects.update(initialising_since=old)
    with pytest.raises(AlreadyInstalled):
        initialise(company=alpha, branch=branch, serial="dvc1")


def test_two_callers_make_one_call(alpha, branch, kra):
    """The second one comes while KRA thinks about the first."""
    seen = []

    def meanwhile():
        with pytest.raises(InitialisationUnderWay) as raised:
            initialise(company=alpha, branch=branch, serial="dvc1")
        seen.append(raised.value.code)
        return opened(alpha)

    kra.script(meanwhile)

    device = initialise(company=alpha, branch=branch, serial="dvc1")

    assert (device.state, seen) == (State.ACTIVE, ["initialisation_under_way"])
    assert kra.asked == ["init"]


@pytest.mark.parametrize(
    ("_case", "told"),
    [("another PIN", {"tin": "Z999999999Z"}), ("another branch", {"bhfId": "01"})],
)
def test_an_answer_about_somebody_else_opens_nothing(alpha, branch, kra, _case, told):
    kra.script(opened(alpha, **told))

    with pytest.raises(DeviceRejected, match="KRA answered for PIN"):
        initialise(company=alpha, branch=branch, serial="dvc1")

    device = Device.objects.get()
    assert (device.state, device.key) == (State.REGISTERED, "")
    assert KEY in device.init_answer
    assert device.state_reason.startswith("KRA answered for PIN")
    assert Company.objects.get().pin_verified_at is None


@pytest.mark.parametrize("text", ["x" * 400, "a\x00b"])
@pytest.mark.parametrize("name", ["sdcId", "mrcNo", "dvcId", "taxprNm"])
def test_nothing_odd_in_kras_answer_loses_the_key(alpha, branch, kra, name, text):
    kra.script(opened(alpha, **{name: text}))

    device = initialise(company=alpha, branch=branch, serial="dvc1")

    assert (device.state, device.key) == (State.ACTIVE, KEY)


def test_nothing_odd_in_kras_refusal_hides_it(alpha, branch, kra):
    kra.script(said("901", "no\x00 " + "x" * 2000))

    with pytest.raises(DeviceRejected):
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert Device.objects.get().state_reason.startswith("901: no x")


def test_a_key_that_no_header_can_carry_is_not_activated(alpha, branch, kra):
    kra.script(opened(alpha, cmcKey="ключ-0123456789"))

    with pytest.raises(DeviceRejected, match="key"):
        initialise(company=alpha, branch=branch, serial="dvc1")

    device = Device.objects.get()
    assert (device.state, device.key) == (State.REGISTERED, "")
    assert "cmcKey" in device.init_answer


CHECKLIST = [
    ("suspended with a key", {"state": "suspended"}, {}, "serial"),
    ("refused with a key", {"state": "refused"}, {}, "serial"),
    ("company switched off", {"state": "registered", "key": ""}, {"is_active": False}, "company"),
    ("no address", {"state": "registered", "key": ""},
     {"environment": "production", "profile": "gavaconnect"}, "environment"),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "fields", "company", "field"), CHECKLIST)
def test_it_checks_everything_before_the_one_call(
    alpha, branch, kra, add_device, _case, fields, company, field
):
    device = add_device(alpha, **fields)
    Company.objects.update(**company)

    with pytest.raises(ChecklistFailed) as raised:
        initialise(company=alpha, branch=branch, serial=device.serial)

    assert [problem.field for problem in raised.value.problems] == [field]
    assert kra.sent == []
    assert Device.objects.get().state == fields["state"]


def test_it_checks_that_the_key_could_be_kept(alpha, branch, kra, monkeypatch):
    monkeypatch.setattr("devices.initialisation.decrypt", lambda token: "garbage")

    with pytest.raises(ChecklistFailed, match="cannot be initialised") as raised:
        initialise(company=alpha, branch=branch, serial="dvc1")

    assert [problem.next_step for problem in raised.value.problems] == ["Check ENCRYPTION_KEYS."]
    assert kra.sent == []


@pytest.mark.parametrize("state", ["registered", "active"])
def test_a_serial_stays_with_its_branch(alpha, branch, kra, add_device, state):
    add_device(alpha, state=state)
    other = Branch.objects.create(company=alpha, code="01", name="Mombasa")

    with pytest.raises(ChecklistFailed) as raised:
        initialise(company=alpha, branch=other, serial="dvc1")

    assert [problem.field for problem in raised.value.problems] == ["branch"]
    assert kra.sent == []


def test_two_companies_may_name_their_devices_alike(alpha, beta, kra):
    kra.script(opened(alpha), opened(beta))

    first, second = (
        initialise(company=company, branch=company.branches.get(), serial="dvc1")
        for company in (alpha, beta)
    )

    assert first.pk != second.pk
    assert (first.company, second.company) == (alpha, beta)
