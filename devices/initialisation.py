"""The one-time call that hands out a device's key (rules A1, A2).

The raw answer is stored, encrypted, before anyone looks at it: a crash after KRA answered cannot
lose the key, because the next request reads the stored answer instead of calling again.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from companies.models import Branch, Company
from core.crypto import decrypt, encrypt
from core.errors import Problem, Upstream
from core.events import announce
from kra.answers import Reply, read
from kra.client import Answer
from kra.codes import RESULT_CODES, Verdict, condition, explain
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected
from kra.readers import read_device
from kra.records import DeviceInfo
from kra.requests import InitRequest

from .calls import finish_call, open_call, post, storable, target_for
from .errors import (
    AlreadyInstalled,
    ChecklistFailed,
    DeviceRejected,
    InitialisationLost,
    InitialisationUnderWay,
)
from .models import Call, Device

State = Device.State
DOUBTFUL = (
    Call.Outcome.OPEN,
    Call.Outcome.UNKNOWN,
    Call.Outcome.UNREADABLE,
    Call.Outcome.ACCEPTED,
)


def initialise(*, company: Company, branch: Branch, serial: str) -> Device:
    """Register the device with us if need be, call KRA once, keep the key.

    Idempotent: an active device is returned as it is. Raises ChecklistFailed, AlreadyInstalled,
    DeviceRejected, InitialisationLost, InitialisationUnderWay, Upstream.
    """
    device, _ = Device.objects.get_or_create(
        company=company, serial=serial, defaults={"branch": branch}
    )
    device = Device.objects.select_related("company", "branch").get(pk=device.pk)
    if device.state == State.ACTIVE and device.branch_id == branch.pk:
        return device
    check(device, branch)
    adopted = adopt(device)
    if adopted is not None:
        return adopted
    _begin(device)
    return _call(device)


def check(device: Device, branch: Branch) -> None:
    """Everything that can be checked before a call that works only once."""
    problems = []
    if device.branch_id != branch.pk:
        problems.append(
            Problem("branch", "The serial belongs to another branch.", "Send its own branch.")
        )
    if not device.company.is_active:
        problems.append(Problem("company", "The company is switched off.", "Switch it on."))
    if device.state in (State.SUSPENDED, State.REFUSED, State.RESTORED) and device.key:
        problems.append(
            Problem("serial", f"The device is {device.state}.", "Resume it instead; it has a key.")
        )
    if decrypt(encrypt("probe")) != "probe":
        problems.append(Problem("", "Encryption does not work.", "Check ENCRYPTION_KEYS."))
    problems += _address_problems(device)
    if problems:
        raise ChecklistFailed("The device cannot be initialised yet.", problems=problems)


def _address_problems(device: Device) -> list[Problem]:
    company = device.company
    base_url, _ = settings.KRA_HOSTS[(company.environment, company.profile)]
    if base_url.startswith("http"):
        return []
    name = f"{company.environment}/{company.profile}"
    return [Problem("environment", f"No KRA address is set for {name}.", "See docs/kra.md.")]


def _begin(device: Device) -> None:
    """One caller at a time. A caller that died in the middle blocks for two calls' time."""
    now = timezone.now()
    stale = now - timedelta(seconds=2 * settings.KRA_READ_TIMEOUT)
    free = ~Q(state=State.INITIALISING) | Q(initialising_since__lt=stale)
    taken = Device.objects.filter(free, pk=device.pk).update(
        state=State.INITIALISING, initialising_since=now
    )
    if not taken:
        raise InitialisationUnderWay("Another request initialises this device right now.")


def _call(device: Device) -> Device:
    body = InitRequest(
        tin=device.company.pin, bhfId=device.branch.code, dvcSrlNo=device.serial
    ).encode()
    call = open_call(device, "init", body, reference=device.serial[:60])
    try:
        answer = post(call, target_for(device), body)
        _keep(device, answer)
        reply = finish_call(call, answer)
    except KRAError as error:
        raise _refusal(device, error) from error
    return _activate(device, reply)


def _keep(device: Device, answer: Answer) -> None:
    if b"cmcKey" in answer.body:
        text = answer.body.decode("utf-8", "backslashreplace")
        Device.objects.filter(pk=device.pk).update(init_answer=text)


def adopt(device: Device) -> Device | None:
    """A process died after KRA answered: finish from the stored answer. None: it has no key."""
    text = Device.objects.get(pk=device.pk).init_answer
    if not text:
        return None
    answer = Answer(
        status=200, body=text.encode(), elapsed_ms=0, content_type="", retry_after=None, date=None
    )
    try:
        reply = read("init", answer)
    except KRAError:
        return None
    return _activate(device, reply)


def _activate(device: Device, reply: Reply) -> Device:
    info = read_device(reply.data)
    _check_identity(device, info)
    now = timezone.now()
    with transaction.atomic():
        Device.objects.filter(pk=device.pk).update(
            state=State.ACTIVE,
            state_reason="",
            key=info.key,
            # Nothing KRA writes may stand between us and the key.
            scu_id=storable(info.scu_id, 18),
            machine_number=storable(info.machine_number, 11),
            kra_device_id=storable(info.device_id, 20),
            initialised_at=now,
        )
        announce("device.state", device.pk)
        Company.objects.filter(pk=device.company_id).update(
            registered_name=storable(info.taxpayer_name, 200), pin_verified_at=now
        )
    return Device.objects.select_related("company", "branch").get(pk=device.pk)


def _check_identity(device: Device, info: DeviceInfo) -> None:
    """KRA's answer must speak of the taxpayer and branch that asked, and its key must be usable."""
    told = (info.pin, info.branch_code)
    if told != (device.company.pin, device.branch.code):
        reason = f"KRA answered for PIN {info.pin}, branch {info.branch_code}."
    elif not (info.key.isascii() and info.key.isprintable()):
        reason = "KRA's key holds characters that no HTTP header can carry."
    else:
        return
    _back(device, reason)
    raise DeviceRejected(reason, help="The key is kept. Compare PIN and branch with the portal.")


def _refusal(device: Device, error: KRAError) -> Exception:
    _back(device, f"{error.code}: {error.message}")
    meaning = explain(error.code, error.message)
    if error.code == "902":
        return AlreadyInstalled(meaning.cause)
    if isinstance(error, (DeviceRefused, Rejected)):
        problem = Problem("serial", f"KRA: {error.code} {error.message}", meaning.next_step)
        return DeviceRejected(meaning.cause, problems=[problem], help=meaning.next_step)
    if isinstance(error, OutcomeUnknown) or _may_have_passed(error.code):
        return InitialisationLost(meaning.cause)
    return Upstream(meaning.cause, help=meaning.next_step)


def is_in_doubt(device: Device) -> bool:
    """KRA may have given out the key in an earlier call: another one needs a person's yes."""
    calls = Call.objects.filter(device=device, endpoint="init")
    return any(
        call.outcome in DOUBTFUL or call.code == "902" or _may_have_passed(call.code)
        for call in calls
    )


def _may_have_passed(code: str) -> bool:
    """It works once, so it leaves the doubts of a fiscal message, which others need not have."""
    row = RESULT_CODES.get(code) or condition(code)
    return row.fiscal is Verdict.RECONCILE


def _back(device: Device, reason: str) -> None:
    mine = Device.objects.filter(pk=device.pk, state=State.INITIALISING)
    mine.update(state=State.REGISTERED, state_reason=storable(reason, 300))
