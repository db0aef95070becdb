"""Cases about the branches, KRA's notices, and whom a branch keeps registered at KRA."""

from typing import Any

from devices.branches.services import sync_branches
from items import services as items
from items.models.lists import NOTICES
from sales.models import BranchRecord, BranchUser, Customer, Insurance
from sales.registers.services import retry_record, save_record

from .context import CaseFailed, Context


def branch_list(ctx: Context) -> str:
    changes = sync_branches(ctx.device)
    skipped = [one for one in changes if one.verdict == "skipped"]
    words = f"{len(changes) - len(skipped)} branches"
    return f"{words}, {len(skipped)} rows that are none" if skipped else words


def notice_list(ctx: Context) -> None:
    items.pull_list(ctx.device, NOTICES, everything=True)


def branch_customer_save(ctx: Context) -> str:
    pin = ctx.buyer.pin or ctx.company.pin
    name = (ctx.buyer.name or ctx.company.name)[:60]
    _register(ctx, Customer, {"pin": pin, "name": name})
    return f"{name}, {pin}"


def branch_user_save(ctx: Context) -> str:
    record = _register(ctx, BranchUser, {"name": "Cashier 1", "authority": "cashier"})
    return f"user {record.key}"


def branch_insurance_save(ctx: Context) -> str:
    record = _register(ctx, Insurance, {"name": "Own insurance scheme", "rate": 20})
    return f"insurer {record.key}"


def _register(ctx: Context, model: type[BranchRecord], values: dict[str, Any]) -> Any:
    """One record per run: what an earlier run has registered, KRA's test would not see again."""
    key = f"C{ctx.state.stamp[-8:]}"
    record = save_record(model, ctx.device, key, values).record
    if record.state == "refused":
        retry_record(record)
        record = _fresh(record)
    ctx.deliver(record.transmission)
    record = _fresh(record)
    if record.state != "registered":
        raise CaseFailed(record.state, record.transmission.error_message)
    return record


def _fresh(record: BranchRecord) -> Any:
    rows: Any = type(record)._default_manager
    return rows.select_related("transmission").get(pk=record.pk)
