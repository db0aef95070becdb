"""A round of questions, branch by branch: what one branch cannot do stops no other."""

import logging
from collections.abc import Iterable

from companies.models import Branch
from devices.calls import HostNotConfigured
from devices.models import Device
from kra.codes import explain
from kra.errors import KRAError, Unavailable
from outbox import breaker
from outbox.models import host_of

from .outputs import BranchSynced
from .services import speaker_of, sync_branch

log = logging.getLogger(__name__)

SILENT = "KRA does not answer; the next round asks again from where this one stopped."


def sync_branches(branches: Iterable[Branch]) -> list[BranchSynced]:
    """Ask for each branch through an active device of its own."""
    silent: set[str] = set()
    return [_sync(branch, speaker_of(branch.pk), silent) for branch in branches]


def _sync(branch: Branch, device: Device | None, silent: set[str]) -> BranchSynced:
    if device is None:
        return BranchSynced(branch.code, "skipped", detail="The branch has no active device.")
    host = host_of(device)
    if host in silent or breaker.is_open(host):
        return BranchSynced(branch.code, "failed", detail=SILENT)
    try:
        done = sync_branch(device)
    except HostNotConfigured as error:
        return BranchSynced(branch.code, "failed", detail=error.message)
    except KRAError as error:
        # The mark stays where it was.
        log.warning("purchases not fetched", extra={"device": device.pk, "code": error.code})
        if isinstance(error, Unavailable):
            silent.add(host)
        cause = explain(error.code, error.message).cause
        return BranchSynced(branch.code, "failed", detail=f"{error.code}: {cause}")
    return BranchSynced(branch.code, "synced", done.new, done.known, done.unreadable)
