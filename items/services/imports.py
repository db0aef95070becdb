"""Fetch what customs declared for a company, branch by branch.

A branch's answer and its watermark are stored together: whoever dies in between asks KRA for the
same lines again, and a line that is known is not stored twice.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec import Struct

from companies.models import Branch, Company
from core.errors import Upstream
from devices.calls import HostNotConfigured, exchange, storable
from devices.models import Device
from items.errors import NoDevice
from items.models import ImportCursor, ImportLine
from kra.answers import Reply
from kra.errors import KRAError
from kra.readers import read_imports
from kra.records import ImportedItem
from kra.requests import EVERYTHING, ListRequest
from kra.times import format_instant

log = logging.getLogger(__name__)

State = ImportLine.State
BATCH = 500
LARGEST = Decimal(10) ** 17
# KRA's table 26: somebody approved (3) or cancelled (4) the line.
DECIDED_CODES = ("3", "4")
# Facts that may change while nobody has decided; the rest is what KRA knows the line by.
FACTS = (
    *("hs_code", "declaration_number", "name", "origin_country", "export_country", "packages"),
    *("package_unit", "quantity", "quantity_unit", "gross_weight", "net_weight"),
    *("supplier_name", "agent_name", "amount", "currency", "exchange_rate"),
)


class BranchPull(Struct):
    """What became of one branch's question: done or failed, and how many lines it brought."""

    branch: str
    state: str
    new: int = 0
    changed: int = 0
    unreadable: int = 0
    detail: str = ""


def sync_imports(company: Company, device: Device | None, *, everything: bool) -> list[BranchPull]:
    """Ask KRA for the lines of each branch that has an active device, or of `device` alone.

    A branch that fails stops no other. Raises NoDevice, and Upstream when all of them failed.
    """
    speakers = [device] if device is not None else speakers_of(company)
    if not speakers:
        raise NoDevice("No branch has an active device to ask KRA with.")
    pulls = [pull_imports(speaker, everything=everything) for speaker in speakers]
    if all(pull.state == "failed" for pull in pulls):
        raise Upstream(f"KRA's import lines were not fetched. {pulls[0].detail}")
    return pulls


def speakers_of(company: Company) -> list[Device]:
    """The first active device of each branch, the head office's first (rule A4)."""
    active = Device.objects.filter(company=company, state=Device.State.ACTIVE)
    rows = active.select_related("company", "branch").order_by("-branch__is_head_office", "pk")
    firsts: dict[int, Device] = {}
    for device in rows:
        firsts.setdefault(device.branch_id, device)
    return list(firsts.values())


def pull_imports(device: Device, *, everything: bool = False) -> BranchPull:
    """Fetch what changed since the branch's last answer. A failure is noted, not raised."""
    branch = device.branch
    cursor, _ = ImportCursor.objects.get_or_create(branch=branch)
    since = None if everything else cursor.last_result_at
    request = ListRequest(
        tin=device.company.pin,
        bhfId=branch.code,
        lastReqDt=format_instant(since) if since else EVERYTHING,
    )
    try:
        reply = exchange(device, "import_list", request.encode(), reference="imports")
        listed = read_imports(reply.data)
    except (KRAError, HostNotConfigured) as error:
        return _failed(branch, error)
    return _store(branch, reply, listed)


def _failed(branch: Branch, error: KRAError | HostNotConfigured) -> BranchPull:
    log.warning("imports not fetched", extra={"branch": branch.pk, "code": error.code})
    facts = {"error_code": error.code[:30], "error_message": storable(error.message, 500)}
    ImportCursor.objects.filter(branch=branch).update(asked_at=timezone.now(), **facts)
    return BranchPull(branch.code, "failed", detail=f"{error.code}: {error.message}")


@transaction.atomic
def _store(branch: Branch, reply: Reply, listed: Iterable[ImportedItem]) -> BranchPull:
    # One at a time per company: KRA may list one line to several branches.
    Company.objects.select_for_update(no_key=True).get(pk=branch.company_id)
    pull = BranchPull(branch.code, "done")
    fresh: dict[tuple[Any, ...], ImportLine] = {}
    now = timezone.now()
    for one in listed:
        if not _can_be_echoed(one):
            log.error("an import line cannot be read", extra={"branch": branch.pk})
            pull.unreadable += 1
            continue
        line = _line(branch, one, now)
        fresh[line.key] = line
    known = _known(branch.company_id, fresh)
    new = [line for key, line in sorted(fresh.items()) if key not in known]
    ImportLine.objects.bulk_create(new, batch_size=BATCH)
    pull.new = len(new)
    pull.changed = sum(_refresh(line, fresh[key], now) for key, line in known.items())
    _move_cursor(branch, reply.result_at, now)
    return pull


def _can_be_echoed(one: ImportedItem) -> bool:
    """KRA compares these with its own, so they are kept whole or not at all."""
    texts = ((one.task_code, 50), (one.declared_on, 8), (one.hs_code, 17))
    return bool(one.task_code) and all(
        len(text) <= length and "\x00" not in text for text, length in texts
    )


def _line(branch: Branch, one: ImportedItem, now: datetime) -> ImportLine:
    decided = one.status_code in DECIDED_CODES
    return ImportLine(
        company_id=branch.company_id,
        branch=branch,
        task_code=one.task_code,
        declared_on=one.declared_on,
        sequence=one.sequence,
        hs_code=one.hs_code,
        declaration_number=storable(one.declaration_number, 50),
        name=storable(one.name, 500),
        status_code=storable(one.status_code, 5),
        origin_country=storable(one.origin_country, 5),
        export_country=storable(one.export_country, 5),
        packages=_amount(one.packages),
        package_unit=storable(one.package_unit, 5),
        quantity=_amount(one.quantity),
        quantity_unit=storable(one.quantity_unit, 5),
        gross_weight=_amount(one.gross_weight),
        net_weight=_amount(one.net_weight),
        supplier_name=storable(one.supplier_name, 500),
        agent_name=storable(one.agent_name, 500),
        amount=_amount(one.amount),
        currency=storable(one.currency, 5),
        exchange_rate=_amount(one.exchange_rate),
        state=State.ELSEWHERE if decided else State.OFFERED,
        created_at=now,
        updated_at=now,
    )


def _amount(value: Decimal | None) -> Decimal | None:
    """None for what no column holds: an odd number must not hide the line."""
    return None if value is None or abs(value) >= LARGEST else round(value, 4)


def _known(company_id: int, keys: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], ImportLine]:
    wanted = set(keys)
    lines = ImportLine.objects.select_for_update(no_key=True).filter(
        company=company_id, task_code__in={key[0] for key in wanted}
    )
    return {line.key: line for line in lines.order_by("pk") if line.key in wanted}


def _refresh(line: ImportLine, listed: ImportLine, now: datetime) -> bool:
    """Take over what KRA lists now. What we have decided stays as it was decided on."""
    changed = {}
    if line.status_code != listed.status_code:
        changed["status_code"] = listed.status_code
    if line.state in (State.OFFERED, State.REFUSED, State.ELSEWHERE):
        names = [name for name in FACTS if getattr(line, name) != getattr(listed, name)]
        changed |= {name: getattr(listed, name) for name in names}
        # A refusal stays to be read, until KRA lists the line as decided.
        if listed.state != line.state and State.ELSEWHERE in (listed.state, line.state):
            changed["state"] = listed.state
    if changed:
        ImportLine.objects.filter(pk=line.pk).update(**changed, updated_at=now)
    return bool(changed)


def _move_cursor(branch: Branch, answered_at: datetime | None, now: datetime) -> None:
    """Forward only: a slow answer must not undo what a later one has said."""
    cursor = ImportCursor.objects.select_for_update().get(branch=branch)
    if answered_at is not None and (
        cursor.last_result_at is None or answered_at > cursor.last_result_at
    ):
        cursor.last_result_at = answered_at
    cursor.asked_at, cursor.error_code, cursor.error_message = now, "", ""
    cursor.save()
