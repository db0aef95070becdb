"""The ways out of a difference. Each asks for its proof at that moment and refuses without it."""

from typing import NoReturn

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.errors import Conflict, Upstream
from core.events import announce
from devices.calls import HostNotConfigured, device_of
from kra.codes import explain as meaning_of
from kra.errors import KRAError
from outbox.models import Lane, Stream
from outbox.resync import adopt_number
from sales.models import Difference, Kind, ReconciledDay, Reconciliation

from .asking import NotNow, ask_one
from .closing import verdict_of
from .facts import Case, Facts, facts_listed, facts_of, ours_of, waiting_under, weigh

State, How = Difference.State, Difference.How


class NotOpen(Conflict):
    code = "difference_not_open"
    help = "GET /api/reconciliations/{id}/ shows what became of it."


class StillDiffers(Conflict):
    code = "still_differs"
    help = "Its values are now those of this moment. Settle the cause, adopt or explain it."


class NotAdoptable(Conflict):
    code = "not_adoptable"
    help = "Only what KRA holds and we have not signed is adopted. Explain it, or look again."


class NotAsked(Upstream):
    code = "kra_not_asked"


def look_again(case: Difference, *, by: str) -> Difference:
    """Ask KRA about the number once more; closed when both sides agree now.

    Raises NotOpen, NotAsked, and StillDiffers once the newest values are stored.
    """
    _require_open(case)
    theirs = _ask(case)
    invoice = ours_of(case.device_id, case.number)
    ours = facts_of(invoice)
    verdict = weigh(case.number, ours, theirs)
    if verdict is not None and verdict[0] == Case.NUMBER_GAP and _is_beyond(case):
        verdict = None  # the last number of all is gone at KRA: both sides end before it
    case.looked_at = timezone.now()
    case.invoice = invoice or waiting_under(case.device_id, case.number)
    if verdict is None:
        return _resolve(case, How.LOOKED_AGAIN, by=by, sides=(ours, theirs))
    case.kind, case.detail = verdict
    _refresh(case, (ours, theirs))
    raise StillDiffers(case.detail)


def adopt(case: Difference, *, by: str) -> Difference:
    """Take over KRA's signature for a waiting sale of ours that is KRA's document, provably.

    The outbox asks KRA and compares; nothing is sent. Raises NotOpen, NotAdoptable,
    CounterNotProven, LaneBusy.
    """
    _require_open(case)
    if case.kind != Case.MISSING_HERE:
        raise NotAdoptable(f"The difference is {case.kind!r}, not 'missing_here'.")
    ours = facts_of(ours_of(case.device_id, case.number))
    if ours is not None:  # adopted meanwhile, by the outbox or by a call that died half-way
        return look_again(case, by=by)
    lane = Lane.objects.filter(device=case.device_id, stream=Stream.FISCAL).first()
    if lane is None:
        raise NotAdoptable("The device has never sold anything here.")
    lane.device = device_of(lane.device_id)
    adopt_number(lane, case.number)
    case.invoice = ours_of(case.device_id, case.number)
    case.looked_at = timezone.now()
    ours = facts_of(case.invoice)
    return _resolve(case, How.ADOPTED, by=by, sides=(ours, ours))


def explain(case: Difference, *, reason: str, by: str) -> Difference:
    """Accept a difference for a reason that a person gives. Raises NotOpen."""
    _require_open(case)
    case.reason = reason
    return _resolve(case, How.EXPLAINED, by=by, sides=None)


def _require_open(case: Difference) -> None:
    if case.state != State.OPEN:
        _refuse(case)


def _refuse(case: Difference) -> NoReturn:
    raise NotOpen(f"The difference about number {case.number} is {case.state}.")


def _ask(case: Difference) -> Facts | None:
    try:
        return facts_listed(ask_one(device_of(case.device_id), case.number))
    except (NotNow, HostNotConfigured) as exc:
        raise NotAsked(f"KRA was not asked about number {case.number}. {exc}") from exc
    except KRAError as exc:
        cause = meaning_of(exc.code, exc.message).cause
        raise NotAsked(f"KRA could not be asked about number {case.number}: {cause}") from exc


def _is_beyond(case: Difference) -> bool:
    """Whether the number lies behind all that KRA accepted from us."""
    lanes = Lane.objects.filter(device=case.device_id, stream=Stream.FISCAL)
    return not lanes.filter(last_number__gte=case.number).exists()


@transaction.atomic
def _resolve(
    case: Difference, how: str, *, by: str, sides: tuple[Facts | None, Facts | None] | None
) -> Difference:
    run = Reconciliation.objects.select_for_update(no_key=True).get(pk=case.run_id)
    if sides is not None:
        _shift(case, sides)
    case.how, case.resolved_by, case.resolved_at = how, by[:150], timezone.now()
    _store(case, state=State.RESOLVED)
    run.verdict, run.reason = verdict_of(run)
    run.save(update_fields=["verdict", "reason"])
    about = {"difference": case.pk, "number": case.number, "how": str(how), "reason": case.reason}
    announce("difference_resolved", case.device_id, by=case.resolved_by, **about)
    return case


@transaction.atomic
def _refresh(case: Difference, sides: tuple[Facts | None, Facts | None]) -> None:
    Reconciliation.objects.select_for_update(no_key=True).get(pk=case.run_id)
    _shift(case, sides)
    _store(case, state=State.OPEN)


# fmt: off
STORED = (
    "kind", "detail", "invoice_id", "our_kind", "our_total", "our_vat", "kra_kind", "kra_total",
    "kra_vat", "looked_at", "how", "reason", "resolved_by", "resolved_at",
)
# fmt: on


def _store(case: Difference, *, state: str) -> None:
    """Guarded: of two people who settle a case at once, one is refused."""
    still_open = Difference.objects.filter(pk=case.pk, state=State.OPEN)
    if not still_open.update(state=state, **{name: getattr(case, name) for name in STORED}):
        case.refresh_from_db()
        _refuse(case)
    case.state = state


def _shift(case: Difference, sides: tuple[Facts | None, Facts | None]) -> None:
    """Carry what changed about one number into the figures of its day. The run is locked, so the
    values before are read here and not taken from an older copy of the case.
    """
    before = Difference.objects.get(pk=case.pk)
    for side, facts in zip(("our", "kra"), sides, strict=True):
        _move(case, side, before.figures(side), sign=-1)
        after = (facts.kind, facts.total, facts.vat) if facts else ("", None, None)
        for name, value in zip(("kind", "total", "vat"), after, strict=True):
            setattr(case, f"{side}_{name}", value)
        _move(case, side, case.figures(side), sign=1)


def _move(case: Difference, side: str, figures: tuple[str, object, object], *, sign: int) -> None:
    kind, total, vat = figures
    if not kind:
        return
    is_note = kind == Kind.CREDIT_NOTE
    value = -sign if is_note else sign
    count = f"{side}_credit_notes" if is_note else f"{side}_sales"
    days = ReconciledDay.objects.filter(run=case.run_id, day=case.day)
    days.update(
        **{
            count: F(count) + sign,
            f"{side}_total": F(f"{side}_total") + value * total,  # type: ignore[operator]
            f"{side}_vat": F(f"{side}_vat") + value * vat,  # type: ignore[operator]
        }
    )
