"""Copy KRA's list of a company's branches. What KRA lists is created or brought up to date; what
it does not list stays as it is, because devices and sales hang on it.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from msgspec import Struct

from companies.models import Branch, Company
from core.errors import Problem
from devices.calls import exchange, storable
from devices.models import Device
from kra.readers import read_branches
from kra.records import BranchInfo
from kra.requests import EVERYTHING, ListRequest

log = logging.getLogger(__name__)

CODE = re.compile("[0-9]{2}")


class BranchChange(Struct):
    """What became of one branch: created, updated, unchanged, unlisted (KRA does not name it) or
    skipped (a row that cannot be one of the company's branches).
    """

    code: str
    verdict: str
    is_open: bool = True
    problems: list[Problem] = []


def sync_branches(device: Device) -> list[BranchChange]:
    """Ask KRA for all branches of the device's company and store them, all or nothing. Repeats
    change nothing. Raises KRAError, HostNotConfigured; then nothing was changed.
    """
    request = ListRequest(
        tin=device.company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING
    ).encode()
    reply = exchange(device, "branch_list", request, reference="branch list")
    return store_branches(device.company, () if reply.is_empty else read_branches(reply.data))


@transaction.atomic
def store_branches(company: Company, listed: Iterable[BranchInfo]) -> list[BranchChange]:
    # Two syncs at once would create the same branch twice.
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    rows: dict[str, BranchInfo] = {}
    skipped = []
    for row in listed:
        problem = _problem_of(company, row)
        if problem is None:
            rows[row.code] = row  # the last row of a code counts
        else:
            skipped.append(BranchChange(row.code[:10], "skipped", row.is_open, [problem]))
    known = {branch.code: branch for branch in Branch.objects.filter(company=company)}
    changes = [_store(company, known.get(code), rows[code]) for code in sorted(rows)]
    changes += [
        BranchChange(code, "unlisted", known[code].is_open) for code in sorted(set(known) - {*rows})
    ]
    _move_head_office(company, rows, changes)
    return changes + skipped


def _problem_of(company: Company, row: BranchInfo) -> Problem | None:
    if row.pin and row.pin != company.pin:
        step = "Ask KRA why its list names another PIN."
        return Problem("pin", f"KRA lists it under {storable(row.pin, 20)!r}.", step)
    if not CODE.fullmatch(row.code):
        step = "Ask KRA for the branch's code of two digits."
        return Problem("code", f"{storable(row.code, 20)!r} is no branch code.", step)
    return None


def _store(company: Company, branch: Branch | None, row: BranchInfo) -> BranchChange:
    is_new = branch is None
    branch = branch or Branch(company=company, code=row.code, name=_nameless(row.code))
    places = _places_of(row)
    # Ours first: it follows only what KRA said before.
    changed = [name for name, value in places.items() if _follow(branch, name, value)]
    facts = {f"kra_{name}": value for name, value in places.items()} | _facts_of(row)
    changed += [name for name, value in facts.items() if _set(branch, name, value)]
    if is_new:
        branch.save(force_insert=True)
    elif changed:
        branch.save(update_fields=changed)
    verdict = "created" if is_new else "updated" if changed else "unchanged"
    return BranchChange(row.code, verdict, branch.is_open)


def _set(branch: Branch, name: str, value: Any) -> bool:
    """Take KRA's word. An empty one says nothing: what people wrote here stays."""
    if value == "" or getattr(branch, name) == value:
        return False
    setattr(branch, name, value)
    return True


def _follow(branch: Branch, name: str, value: str) -> bool:
    """What people wrote here stays; what came from KRA, or from nobody, follows KRA's word."""
    ours = getattr(branch, name)
    is_typed = ours not in ("", getattr(branch, f"kra_{name}"), _nameless(branch.code))
    return not is_typed and _set(branch, name, value)


def _nameless(code: str) -> str:
    return f"Branch {code}"


def _places_of(row: BranchInfo) -> dict[str, str]:
    places = dict.fromkeys(p for p in (row.address, row.sector, row.district, row.province) if p)
    return {"name": storable(row.name, 60), "address": storable(", ".join(places), 200)}


def _facts_of(row: BranchInfo) -> dict[str, Any]:
    return {
        "manager_name": storable(row.manager_name, 60),
        "manager_phone": storable(row.manager_phone, 20),
        "manager_email": storable(row.manager_email, 100),
        # Without a status nothing was said about it.
        "is_open": row.is_open if row.status_code else "",
    }


def _move_head_office(
    company: Company, rows: dict[str, BranchInfo], changes: list[BranchChange]
) -> None:
    """A company has one head office. If KRA names none, or several, ours stays unless it is not
    among them.
    """
    named = sorted(code for code, row in rows.items() if row.is_head_office)
    mine = Branch.objects.filter(company=company)
    current = mine.filter(is_head_office=True).values_list("code", flat=True).first()
    if not named or current in named:
        return
    mine.filter(is_head_office=True).update(is_head_office=False)
    mine.filter(code=named[0]).update(is_head_office=True)
    log.warning("head office moved", extra={"company": company.pk, "branch": named[0]})
    for change in changes:
        if change.code in (current, named[0]) and change.verdict in ("unchanged", "unlisted"):
            change.verdict = "updated"
