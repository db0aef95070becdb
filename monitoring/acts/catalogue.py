"""Every act: what it is called, what it does, what it asks for, and the service that does it.

Who may is in monitoring/roles.py under the same name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from companies.models import ApiToken
from companies.services import revoke_token
from devices.models import Call, Device
from devices.services import change_state, generate_keys
from items.services import retry_item, retry_movement
from items.services.import_decisions import retry_import
from outbox.models import OPEN, Lane, Status, Transmission
from outbox.resync import resync_counter
from outbox.services import retry_now
from purchases.services import retry as retry_purchase
from sales import corrections
from sales.models import Difference, Invoice, State
from sales.models.registers import BranchRecord
from sales.reconciliation import resolving
from sales.registers.services import retry_record

from . import comparing, people
from .comparing import Compared
from .content import CORRECTION, NUMBER, Field, content_of, content_read

CallOutcome = Call.Outcome


@dataclass(frozen=True)
class Given:
    """What a person gave with an act."""

    by: str
    reason: str
    values: dict[str, Any] = field(default_factory=dict)


def never(_: Any) -> bool:
    return False


def always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Act:
    name: str
    label: str
    effect: str
    run: Callable[[Any, Given], str]
    is_possible: Callable[[Any], bool]
    asks_reason: bool = True
    asks: Field | None = None
    start_value: Callable[[Any], str] | None = None
    needs_second: Callable[[Any], bool] = never
    compare: Callable[[Any], list[Compared]] | None = None


def may_be_at_kra(invoice: Invoice) -> bool:
    """Whether KRA may hold some version of it: an attempt's outcome was never known."""
    doubtful = (CallOutcome.OPEN, CallOutcome.UNKNOWN, CallOutcome.UNREADABLE)
    row = invoice.transmission_id
    tries = Call.objects.filter(transmission=row).exclude(endpoint="invoice_details")
    return row is not None and tries.filter(outcome__in=doubtful).exists()


def _is_waiting(row: Transmission | None) -> bool:
    held = (Status.QUEUED, Status.UNKNOWN, Status.CONFLICT)
    return row is not None and row.status in held


def _is_voidable(invoice: Invoice) -> bool:
    if invoice.state != State.ACTIVE or not invoice.is_current:
        return False
    row = invoice.transmission
    if row is None or row.status in (Status.REFUSED, Status.CANCELLED):
        return True
    return row.status == Status.QUEUED and row.attempts == 0


def _is_correctable(invoice: Invoice) -> bool:
    row = invoice.transmission
    is_active = invoice.state == State.ACTIVE and invoice.is_current and invoice.kind == "sale"
    return is_active and row is not None and row.status == Status.REFUSED


def _retried(run: Callable[[Any], Any], what: str) -> Callable[[Any, Given], str]:
    def act(obj: Any, _: Given) -> str:
        run(obj)
        return what

    return act


def _correct(invoice: Invoice, given: Given) -> str:
    made = corrections.correct(invoice, content_read(given.values)).invoice
    return f"Version {made.version} of {made.reference} is queued."


def _void(invoice: Invoice, given: Given) -> str:
    corrections.void(invoice, reason=given.reason)
    return f"{invoice.reference} is voided."


def _change_state(to: str) -> Callable[[Any, Given], str]:
    def act(device: Device, given: Given) -> str:
        change_state(device, to=to, reason=given.reason)
        return f"{device.serial} is {to}."

    return act


def _rotate(device: Device, _: Given) -> str:
    key = generate_keys(device)
    return f"Key version {key.version} signs from now on: {key.fingerprint[:16]}…"


def _revoke(token: ApiToken, _: Given) -> str:
    revoke_token(token)
    return f"{token} is revoked; every process refuses it within seconds."


def _resync(lane: Lane, given: Given) -> str:
    number = int(given.values["last_number"])
    resync_counter(lane, last_number=number, reason=given.reason)
    return f"KRA confirmed it: the last accepted number is {number}."


def _look_again(case: Difference, given: Given) -> str:
    resolving.look_again(case, by=given.by)
    return "Both sides agree now; the difference is closed."


def _adopt(case: Difference, given: Given) -> str:
    resolving.adopt(case, by=given.by)
    return f"KRA's record of number {case.number} is ours now; nothing was sent."


def _explain(case: Difference, given: Given) -> str:
    resolving.explain(case, reason=given.reason, by=given.by)
    return "The difference is accepted as it is."


def _is_open(case: Difference) -> bool:
    return case.state == Difference.State.OPEN


def _retry(run: Callable[[Any], Any], is_possible: Callable[[Any], bool]) -> Act:
    return Act(
        name="retry",
        label="Try again now",
        effect="The next attempt comes forward; nothing is ever sent twice. In a conflict or an "
        "unknown outcome KRA is asked what it holds before anything else.",
        run=_retried(run, "The next attempt is due now."),
        is_possible=is_possible,
        asks_reason=False,
    )


def _is_unsettled(obj: Any) -> bool:
    return obj.transmission is not None and obj.transmission.status in (*OPEN, Status.REFUSED)


RECORD_RETRY = _retry(retry_record, _is_unsettled)
ACTS: dict[str, tuple[Act, ...]] = {
    "sales.Invoice": (
        _retry(corrections.retry, lambda one: _is_waiting(one.transmission)),
        Act(
            name="correct",
            label="Correct",
            effect="A new version under the same reference takes the place of the refused one, "
            "which is kept. It goes to KRA with the next number.",
            run=_correct,
            is_possible=_is_correctable,
            asks=CORRECTION,
            start_value=content_of,
        ),
        Act(
            name="void",
            label="Void",
            effect="The sale is given up and never sent. Its reference stays taken. A sale that "
            "KRA has signed is undone by a credit note instead.",
            run=_void,
            is_possible=_is_voidable,
            needs_second=may_be_at_kra,
            compare=comparing.of_invoice,
        ),
    ),
    "outbox.Transmission": (_retry(retry_now, _is_waiting),),
    "outbox.Lane": (
        Act(
            name="resync",
            label="Set the counter right",
            effect="KRA is asked first: it must know this number and not the next one. Waiting "
            "sales that KRA holds already are adopted, the rest takes new numbers.",
            run=_resync,
            is_possible=always,
            asks=NUMBER,
            start_value=lambda lane: str(lane.last_number),
            needs_second=always,
        ),
    ),
    "devices.Device": (
        Act(
            name="suspend",
            label="Suspend",
            effect="Its tills can sell no more and nothing is sent; what waits stays.",
            run=_change_state(Device.State.SUSPENDED),
            is_possible=lambda one: one.state in ("active", "refused"),
        ),
        Act(
            name="resume",
            label="Resume",
            effect="It sells and sends again. After a refusal by KRA, settle its reason first.",
            run=_change_state(Device.State.ACTIVE),
            is_possible=lambda one: one.state in ("suspended", "refused"),
        ),
        Act(
            name="rotate_keys",
            label="New signing key",
            effect="A new key pair signs our own evidence from now on; the present one is retired "
            "and stays to verify what it signed. KRA's key of the device does not change.",
            run=_rotate,
            is_possible=always,
        ),
    ),
    "companies.Company": (
        Act(
            name="add_member",
            label="Give a person a role",
            effect="The person sees and does in this company what the role allows (docs/admin.md).",
            run=people.add,
            is_possible=always,
            asks=people.PERSON,
        ),
    ),
    "companies.Member": (
        Act(
            name="change_role",
            label="Change the role",
            effect="From the next page on. A company keeps at least one owner who can sign in.",
            run=people.change,
            is_possible=always,
            asks=people.ROLE,
            start_value=lambda member: str(member.role),
        ),
        Act(
            name="remove_member",
            label="Take the role away",
            effect="The person stays, and what was done stays his; he sees this company no more.",
            run=people.remove,
            is_possible=always,
        ),
    ),
    "companies.ApiToken": (
        Act(
            name="revoke",
            label="Revoke",
            effect="Whatever uses this token is locked out within seconds, for good.",
            run=_revoke,
            is_possible=lambda one: one.revoked_at is None,
        ),
    ),
    "sales.Difference": (
        Act(
            name="look_again",
            label="Look again",
            effect="KRA is asked about the number once more; closed when both sides agree.",
            run=_look_again,
            is_possible=_is_open,
            asks_reason=False,
        ),
        Act(
            name="adopt",
            label="Adopt KRA's record",
            effect="KRA is asked again at that moment. Only a waiting sale of ours that is KRA's "
            "document in every field, to the second and the line, takes its signature. Nothing "
            "is sent.",
            run=_adopt,
            is_possible=lambda case: _is_open(case) and case.kind == "missing_here",
            needs_second=always,
            compare=comparing.of_difference,
        ),
        Act(
            name="explain",
            label="Accept with a reason",
            effect="The difference is closed as it is. The reason is all an auditor will have.",
            run=_explain,
            is_possible=_is_open,
            compare=comparing.of_difference,
        ),
    ),
    "purchases.Purchase": (_retry(retry_purchase, lambda one: _is_waiting(one.transmission)),),
    "items.Item": (_retry(retry_item, lambda one: one.state in ("queued", "refused")),),
    "items.StockMovement": (_retry(retry_movement, lambda one: one.state == "refused"),),
    "items.ImportLine": (_retry(retry_import, lambda one: _is_waiting(one.transmission)),),
    **{model._meta.label: (RECORD_RETRY,) for model in BranchRecord.__subclasses__()},
}


def acts_of(label: str) -> tuple[Act, ...]:
    return ACTS.get(label, ())


def act_named(label: str, name: str) -> Act | None:
    return next((act for act in acts_of(label) if act.name == name), None)
