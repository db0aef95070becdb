"""The one way to talk to KRA: insert the call, post, store the answer as it came, then read it.

If the process dies in between, the open row says so: the outcome is unknown, never "not sent".
"""

import logging
import time
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.utils import timezone

from core import sql
from core.context import request_id
from core.errors import Conflict
from kra.answers import Reply, read
from kra.client import Answer, Client, Timeouts
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable
from kra.masking import safe_answer, safe_request
from kra.profiles import Credentials, Host, Identity, Profile, Target

from .models import Call, Device

log = logging.getLogger(__name__)

DEVICE_CACHE_S = 15.0
# PostgreSQL's own version of the rows a device is made of: another one after every update.
VERSION = """device.xmin || '/' || company.xmin || '/' || branch.xmin
    FROM devices_device device
    JOIN companies_company company ON company.id = device.company_id
    JOIN companies_branch branch ON branch.id = device.branch_id
"""
_devices: dict[int, tuple[float, str, Device]] = {}
_serials: dict[tuple[int, str], int] = {}

OUTCOMES: dict[type[KRAError], str] = {
    Unavailable: Call.Outcome.UNAVAILABLE,
    OutcomeUnknown: Call.Outcome.UNKNOWN,
    Rejected: Call.Outcome.REJECTED,
    DeviceRefused: Call.Outcome.DEVICE_REFUSED,
}


COMPLETE = """
    UPDATE devices_call
    SET finished_at = $1, elapsed_ms = $2, http_status = $3, answer = $4, outcome = $5, code = $6,
        reason = $7
    WHERE id = $8 AND finished_at IS NULL
"""


class HostNotConfigured(Conflict):
    code = "kra_host_not_configured"
    help = "Set the KRA_… address of this environment and profile (docs/kra.md)."


@lru_cache(maxsize=1)
def client() -> Client:
    """One pooled client per process."""
    timeouts = Timeouts(
        connect=settings.KRA_CONNECT_TIMEOUT,
        read=settings.KRA_READ_TIMEOUT,
        per_endpoint=settings.KRA_READ_TIMEOUTS,
    )
    return Client(timeouts, pool_size=settings.KRA_POOL_SIZE)


def target_for(device: Device) -> Target:
    """Where the device's calls go and who they speak for. Raises HostNotConfigured."""
    company = device.company
    base_url, token_url = settings.KRA_HOSTS[(company.environment, company.profile)]
    if not base_url.startswith("http"):
        raise HostNotConfigured(
            f"No KRA address is set for {company.environment}/{company.profile}."
        )
    host = Host(cast(Profile, company.profile), base_url, token_url)
    identity = Identity(company.pin, device.branch.code, device.key)
    return Target(host, identity, _credentials(device))


def _credentials(device: Device) -> Credentials | None:
    company = device.company
    if company.profile != "gavaconnect":
        return None
    if not company.consumer_key and company.environment == "simulator":
        return Credentials("simulator", "simulator", "simulator")
    return Credentials(company.consumer_key, company.consumer_secret, company.app_id)


def device_of(pk: int, version: str = "") -> Device:
    """A device with its company and branch. What is known is trusted for DEVICE_CACHE_S, and then
    as long as the rows have the version they had; loading and decrypting costs more than to ask.
    Whoever has just read the version gives it, and never gets an older device.
    """
    until, known, device = _devices.get(pk, (0.0, "", None))
    if not version and device is not None and until > time.monotonic():
        return device
    if not version:
        ((version,),) = sql.fetch_all(f"SELECT {VERSION} WHERE device.id = $1", [pk])
    if device is None or version != known:
        device = Device.objects.select_related("company", "branch").defer("init_answer").get(pk=pk)
    _devices[pk] = (time.monotonic() + DEVICE_CACHE_S, version, device)
    return device


def find_device(company_id: int, serial: str) -> Device | None:
    """The company's device of that serial; a device never changes either."""
    pk = _serials.get((company_id, serial))
    if pk is None:
        found = Device.objects.filter(company_id=company_id, serial=serial)
        pk = found.values_list("pk", flat=True).first()
        if pk is None:
            return None
        _serials[(company_id, serial)] = pk
    return device_of(pk)


def forget_devices() -> None:
    """Read the devices again at once."""
    _devices.clear()
    _serials.clear()


def open_call(
    device: Device, endpoint: str, body: bytes, *, reference: str = "", **about: int | None
) -> Call:
    """Insert the row of a call that is about to be made. `about`: transmission, attempt, number."""
    call = new_call(device, endpoint, body, reference=reference, **about)
    call.save(force_insert=True)
    return call


def new_call(
    device: Device, endpoint: str, body: bytes, *, reference: str = "", **about: int | None
) -> Call:
    """The row of a call, not yet saved."""
    return Call(
        company_id=device.company_id,
        device_id=device.pk,
        endpoint=endpoint,
        reference=reference,
        request=safe_request(endpoint, body),
        started_at=timezone.now(),
        request_id=request_id.get(),
        **about,
    )


def make_call(call: Call, target: Target, body: bytes) -> Reply:
    """Post, store the answer, then read it. No transaction may be open. Raises KRAError."""
    return finish_call(call, post(call, target, body))


def post(call: Call, target: Target, body: bytes) -> Answer:
    """Post and return the bare answer; a call that got none is completed here and raises."""
    try:
        return client().post(target, call.endpoint, body)
    except KRAError as exc:
        _complete(call, None, exc)
        raise


def finish_call(call: Call, answer: Answer) -> Reply:
    """Store the answer verbatim together with what it means. Raises KRAError."""
    try:
        reply = read(call.endpoint, answer)
    except KRAError as exc:
        _complete(call, answer, exc)
        raise
    except Exception:
        # The answer outlives our failure to read it; the outcome stays open to the look-up.
        _complete(call, answer, None)
        raise
    _complete(call, answer, reply)
    return reply


def exchange(device: Device, endpoint: str, body: bytes, *, reference: str = "") -> Reply:
    """One call outside the outbox (reads, initialisation). Raises KRAError."""
    target = target_for(device)
    return make_call(open_call(device, endpoint, body, reference=reference), target, body)


def storable(text: str, length: int) -> str:
    """KRA's text as a column holds it: PostgreSQL knows no NUL."""
    return text.replace("\x00", "")[:length]


def _complete(call: Call, answer: Answer | None, result: Reply | KRAError | None) -> None:
    call.finished_at = timezone.now()
    elapsed_s = (call.finished_at - call.started_at).total_seconds()
    call.elapsed_ms = max(0, int(elapsed_s * 1000))  # a clock may be set back meanwhile
    if answer is not None:
        call.http_status = answer.status
        call.answer = safe_answer(call.endpoint, answer.body).replace("\x00", "\\x00")
    call.outcome = _outcome(result)
    call.code = storable(result.code, 30) if result else ""
    call.reason = storable(result.message, 500) if result else ""
    _store(call)
    log.info(
        "kra call",
        extra={
            "endpoint": call.endpoint, "device": call.device_id, "reference": call.reference,
            "number": call.number, "attempt": call.attempt, "code": call.code,
            "outcome": call.outcome, "ms": call.elapsed_ms,
        },
    )  # fmt: skip


def _store(call: Call) -> None:
    """Complete the row, once. By hand: every message takes this path (core/sql.py)."""
    sql.run(
        COMPLETE,
        [
            call.finished_at, call.elapsed_ms, call.http_status, call.answer, call.outcome,
            call.code, call.reason, call.pk,
        ],
    )  # fmt: skip


def _outcome(result: Reply | KRAError | None) -> str:
    if result is None:
        return Call.Outcome.UNREADABLE
    if isinstance(result, Reply):
        return Call.Outcome.EMPTY if result.is_empty else Call.Outcome.ACCEPTED
    return OUTCOMES[type(result)]
