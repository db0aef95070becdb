"""Keys, state, and whether KRA can be reached."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from companies.models import Branch, Company
from core.events import announce
from kra.codes import explain
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable
from kra.requests import ListRequest
from kra.times import format_instant

from .calls import (
    HostNotConfigured,
    exchange,
    finish_call,
    forget_devices,
    open_call,
    post,
    target_for,
)
from .errors import WrongState
from .models import Device, SigningKey

State = Device.State
SKEW_WARNING_S = 60
SLOW_MS = 5000


@transaction.atomic
def import_key(*, company: Company, branch: Branch, serial: str, **unit: str) -> Device:
    """Take over a device that was initialised elsewhere. An active device is not overwritten.

    `unit` holds what KRA gave out then: key, scu_id, machine_number.
    """
    device, _ = Device.objects.get_or_create(
        company=company, serial=serial, defaults={"branch": branch}
    )
    if device.branch_id != branch.pk:
        raise WrongState("The serial belongs to another branch.", help="Send its own branch.")
    free = Device.objects.filter(pk=device.pk).exclude(
        state__in=[State.ACTIVE, State.INITIALISING, State.RESTORED]
    )
    taken = free.update(
        **unit,
        state=State.ACTIVE,
        state_reason="key imported",
        initialised_at=timezone.now(),
    )
    if not taken:
        raise WrongState("The device is in use.", help="Suspend it first.")
    announce("key_imported", device.pk, scu_id=unit.get("scu_id", ""))
    announce("device.state", device.pk)
    forget_devices()
    return Device.objects.get(pk=device.pk)


@transaction.atomic
def change_state(device: Device, *, to: str, reason: str) -> None:
    """Suspend, or resume after a suspension or a refusal by KRA. Raises WrongState."""
    allowed = {
        State.SUSPENDED: [State.ACTIVE, State.REFUSED],
        State.ACTIVE: [State.SUSPENDED, State.REFUSED],
    }
    mine = Device.objects.filter(pk=device.pk, state__in=allowed[State(to)]).exclude(key="")
    if not mine.update(state=to, state_reason=reason[:300]):
        raise WrongState(f"The device is {device.state} and cannot become {to}.")
    announce("device.state", device.pk)
    forget_devices()


def release_restored(device_id: int) -> None:
    """The counter is proven: what the device was before the copy was restored, it is again."""
    mine = Device.objects.filter(pk=device_id, state=State.RESTORED)
    if mine.update(state=F("state_before"), state_before="", state_reason="counter checked"):
        announce("device.state", device_id)
        forget_devices()


@transaction.atomic
def generate_keys(device: Device) -> SigningKey:
    """Retire the current key pair and make the next version. The private part never leaves."""
    Device.objects.select_for_update(no_key=True).get(pk=device.pk)
    keys = SigningKey.objects.filter(device=device)
    keys.filter(retired_at=None).update(retired_at=timezone.now())
    version = (keys.aggregate(last=Max("version"))["last"] or 0) + 1
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    secret = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return SigningKey.objects.create(
        device=device,
        version=version,
        public_key=public.hex(),
        private_key=secret.hex(),
        fingerprint=hashlib.sha256(public).hexdigest(),
    )


def first_active(company: Company) -> Device | None:
    """An active device of the company, the head office's before others."""
    active = Device.objects.filter(company=company, state=Device.State.ACTIVE)
    return (
        active.select_related("company", "branch").order_by("-branch__is_head_office", "pk").first()
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One point of a connection test: `ok`, `warning`, `failed` or `not_tested`."""

    name: str
    verdict: str
    message: str
    next_step: str = ""
    value: int | None = None


def check_connection(device: Device) -> list[Verdict]:
    """Ask KRA something harmless: reachable, authenticated, latency in ms, clock skew in s."""
    body = ListRequest(
        tin=device.company.pin, bhfId=device.branch.code, lastReqDt=format_instant(timezone.now())
    ).encode()
    if not device.key:
        return _check_reachable(device, body)
    started = timezone.now()
    try:
        reply = exchange(device, "notice_list", body, reference="connection test")
    except HostNotConfigured as error:
        return [Verdict("reachable", "failed", error.message, error.help)]
    except KRAError as error:
        return _failed(error)
    elapsed = int((timezone.now() - started).total_seconds() * 1000)
    skew = int((reply.result_at - started).total_seconds()) if reply.result_at else None
    return [
        Verdict("reachable", "ok", "KRA answers."),
        Verdict("authenticated", "ok", "KRA knows this device."),
        _latency(elapsed),
        _skew(skew),
    ]


def _check_reachable(device: Device, body: bytes) -> list[Verdict]:
    untested = Verdict(
        "authenticated", "not_tested", "The device has no key yet.", "POST /api/device/init/."
    )
    try:
        target = target_for(device)
        call = open_call(device, "notice_list", body, reference="connection test")
        answer = post(call, target, body)
        finish_call(call, answer)
    except HostNotConfigured as error:
        return [Verdict("reachable", "failed", error.message, error.help), untested]
    except KRAError as error:
        return [*_failed(error)[:1], untested]
    return [Verdict("reachable", "ok", "KRA answers."), untested, _latency(answer.elapsed_ms)]


def _failed(error: KRAError) -> list[Verdict]:
    meaning = explain(error.code, error.message)
    answered = isinstance(error, (DeviceRefused, Rejected)) or error.code.isdigit()
    step = meaning.next_step
    if isinstance(error, (Unavailable, OutcomeUnknown)) and not answered:
        return [
            Verdict("reachable", "failed", f"{error.code}: {meaning.cause}", step),
            Verdict("authenticated", "not_tested", "KRA could not be reached."),
        ]
    return [
        Verdict("reachable", "ok", "KRA answers."),
        Verdict("authenticated", "failed", f"{error.code}: {meaning.cause}", step),
    ]


def _latency(elapsed_ms: int) -> Verdict:
    slow = elapsed_ms > SLOW_MS
    message = f"{elapsed_ms} ms" + (": KRA is slow; sales queue and go on." if slow else "")
    return Verdict("latency", "warning" if slow else "ok", message, value=elapsed_ms)


def _skew(seconds: int | None) -> Verdict:
    if seconds is None:
        return Verdict("clock", "not_tested", "KRA's answer carried no time.")
    if abs(seconds) > SKEW_WARNING_S:
        step = "Turn on NTP: KRA refuses documents from the future."
        message = f"This clock differs from KRA's by {seconds} s."
        return Verdict("clock", "warning", message, step, value=seconds)
    return Verdict("clock", "ok", f"{seconds} s from KRA's clock.", value=seconds)
