"""Doing what people ask for: at once, or after a second person has agreed. Each leaves a trace.

The trace is written before the act and again after it, each in a transaction of its own, because
an act may talk to KRA. The services underneath are guarded: an act that is repeated after a crash
is refused, or finds its work done.
"""

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from core.errors import Conflict, DomainError, Invalid, NotFound, Problem
from kra.codes import explain
from kra.errors import KRAError
from monitoring.models import ActionRequest, AuditEvent
from monitoring.roles import DOES, access_of_user

from .audit import Actor, Subject, company_id_of, record
from .catalogue import Act, Given, act_named

Stage, State = AuditEvent.Stage, ActionRequest.State
SHORTEST_REASON = 3


class NotAllowed(Conflict):
    status = 403
    code = "not_allowed"
    help = "Ask somebody with the role for it (docs/admin.md)."


class SamePerson(Conflict):
    code = "same_person"
    help = "Another person with the role, or the operator, decides."


class NotWaiting(Conflict):
    code = "request_not_waiting"
    help = "The request shows what became of it."


class AskedAlready(Conflict):
    code = "asked_already"
    help = "It waits in the inbox for a second person."


class DoneAlready(Conflict):
    code = "done_already"
    help = "Read the page again; this one was sent before."


class NotDone(Conflict):
    """KRA, or its line, said no."""

    code = "not_done"


def may(user: Any, act_name: str, obj: Any) -> bool:
    return access_of_user(user).may(DOES[act_name], company_id_of(obj))


def perform(act: Act, obj: Model, given: Given, *, user: Any, key: Any = None) -> str:
    """Do it now; say what was done. Raises DomainError, after the refusal was written down."""
    if not may(user, act.name, obj):
        raise NotAllowed(f"Your role does not let you {act.label.lower()}.")
    if act.needs_second(obj):
        raise NotAllowed("This needs a second person.", help="Ask for it; it waits in the inbox.")
    require_reason(act, given.reason)
    subject, actor = subject_of(obj), Actor.person(user)
    try:
        with transaction.atomic():
            record(act.name, Stage.ASKED, subject, actor, reason=given.reason, key=key)
    except IntegrityError as exc:
        raise DoneAlready("This was asked before, from the same page.") from exc
    return _run(act, obj, given, actor)


def _run(act: Act, obj: Model, given: Given, actor: Actor) -> str:
    subject = subject_of(obj)
    try:
        said = act.run(obj, given)
    except DomainError as error:
        record(act.name, Stage.REFUSED, subject, actor, reason=given.reason, detail=told(error))
        raise
    except KRAError as error:
        meaning = explain(error.code, error.message)
        refusal = NotDone(f"{error.code}: {meaning.cause}", help=meaning.next_step)
        record(act.name, Stage.REFUSED, subject, actor, reason=given.reason, detail=refusal.message)
        raise refusal from error
    record(act.name, Stage.DONE, subject, actor, reason=given.reason, detail=said)
    return said


def told(error: DomainError) -> str:
    parts = [f"{p.field}: {p.reason}" for p in error.problems]
    return " ".join([error.message, *parts])


def subject_of(obj: Model) -> Subject:
    return Subject.of(obj, company_id_of(obj))


def require_reason(act: Act, reason: str) -> None:
    if act.asks_reason and len(reason.strip()) < SHORTEST_REASON:
        problem = Problem("reason", "There is none.", "Say why; it is kept for the auditor.")
        raise Invalid("A reason is needed.", problems=[problem])


def ask(act: Act, obj: Model, given: Given, *, user: Any) -> ActionRequest:
    """Leave it to a second person. Raises NotAllowed, Invalid, AskedAlready."""
    company_id = company_id_of(obj)
    if company_id is None or not may(user, act.name, obj):
        raise NotAllowed(f"Your role does not let you {act.label.lower()}.")
    require_reason(act, given.reason)
    expire_overdue()
    seen = [[row.field, row.ours, row.kra] for row in act.compare(obj)] if act.compare else []
    try:
        with transaction.atomic():
            asked = ActionRequest.objects.create(
                company_id=company_id,
                act=act.name,
                model=obj._meta.label,
                object_id=obj.pk,
                object_text=str(obj)[:200],
                values=given.values,
                seen=seen,
                reason=given.reason[:400],
                requested_by=user,
                expires_at=timezone.now() + timedelta(hours=settings.ADMIN_REQUEST_HOURS),
            )
            record(act.name, Stage.REQUESTED, subject_of(obj), Actor.person(user),
                   reason=given.reason)  # fmt: skip
    except IntegrityError as exc:
        raise AskedAlready("The same is asked for already.") from exc
    return asked


def approve(request_id: int, *, user: Any, reason: str = "") -> str:
    """Decide for it and do it: once, however many people decide at the same moment.

    Raises SamePerson, NotAllowed, NotWaiting, and whatever the act's own service refuses; then the
    request has failed and says why.
    """
    asked = _decide(request_id, to=State.APPROVED, user=user, reason=reason)
    mine = ActionRequest.objects.filter(pk=asked.pk, state=State.APPROVED)
    actor = Actor.person(user)
    try:
        act, obj = _target_of(asked)
        given = Given(f"{asked.requested_by} and {user}"[:150], asked.reason, asked.values)
        said = _run(act, obj, given, actor)
    except DomainError as error:
        mine.update(state=State.FAILED, outcome=told(error)[:500], finished_at=timezone.now())
        raise
    mine.update(state=State.DONE, outcome=said[:500], finished_at=timezone.now())
    return said


def reject(request_id: int, *, user: Any, reason: str) -> None:
    if len(reason.strip()) < SHORTEST_REASON:
        problem = Problem("reason", "There is none.", "Tell the other person why not.")
        raise Invalid("A reason is needed.", problems=[problem])
    asked = _decide(request_id, to=State.REJECTED, user=user, reason=reason)
    ActionRequest.objects.filter(pk=asked.pk).update(
        outcome=reason[:500], finished_at=timezone.now()
    )


def _decide(request_id: int, *, to: str, user: Any, reason: str) -> ActionRequest:
    """Only one decision is ever made. Requests of another company are not there."""
    asked = _visible(request_id, user)
    if asked.requested_by_id == user.pk:
        raise SamePerson("You asked for it yourself.")
    if not access_of_user(user).may(_deciders(asked.act), asked.company_id):
        raise NotAllowed("Your role does not let you decide this.")
    now = timezone.now()
    with transaction.atomic():
        waiting = ActionRequest.objects.waiting(now).filter(pk=asked.pk)
        is_mine = bool(waiting.update(state=to, decided_by=user, decided_at=now))
        if is_mine:
            record(asked.act, to, _subject_asked(asked), Actor.person(user), reason=reason)
    asked.refresh_from_db()
    if not is_mine:
        expire_overdue()
        raise NotWaiting(f"The request is {state_of(asked)}.")
    return asked


def _deciders(act_name: str) -> frozenset[str]:
    """Whoever may ask for it, of those who decide at all."""
    return DOES[act_name] & DOES["decide"]


def may_decide(user: Any, asked: ActionRequest) -> bool:
    access = access_of_user(user)
    return asked.requested_by_id != user.pk and access.may(_deciders(asked.act), asked.company_id)


def open_requests() -> list[ActionRequest]:
    return list(ActionRequest.objects.waiting(timezone.now()).order_by("pk")[:100])


def _visible(request_id: int, user: Any) -> ActionRequest:
    rows = ActionRequest.objects.select_related("requested_by", "company")
    access = access_of_user(user)
    if not access.is_platform:
        rows = rows.filter(company__in=access.companies(DOES["decide"]))
    found = rows.filter(pk=request_id).first()
    if found is None:
        raise NotFound("There is no such request.")
    return found


def _target_of(asked: ActionRequest) -> tuple[Act, Any]:
    """The act and its object as they are now. The first person must still be allowed to ask."""
    act = act_named(asked.model, asked.act)
    model: Any = apps.get_model(asked.model)
    obj = model._default_manager.filter(pk=asked.object_id).first()
    if act is None or obj is None:
        raise NotFound("What was asked for is no longer there.")
    first = get_user_model().objects.get(pk=asked.requested_by_id)
    if not may(first, act.name, obj):
        raise NotAllowed(f"{first} may no longer ask for it.")
    return act, obj


def _subject_asked(asked: ActionRequest) -> Subject:
    return Subject(asked.model, str(asked.object_id), asked.object_text, asked.company_id)


def state_of(asked: ActionRequest) -> str:
    """Its state in one word, also between its end and the moment that is written down."""
    if asked.state == State.REQUESTED and asked.expires_at <= timezone.now():
        return State.EXPIRED
    return asked.state


def expire_overdue() -> int:
    """Write down which requests nobody decided in time."""
    now = timezone.now()
    overdue = ActionRequest.objects.filter(state=State.REQUESTED, expires_at__lte=now)
    count = 0
    for asked in overdue.select_related("requested_by"):
        with transaction.atomic():
            mine = ActionRequest.objects.filter(pk=asked.pk, state=State.REQUESTED)
            if mine.update(state=State.EXPIRED, finished_at=now):
                person = Actor.person(asked.requested_by)
                record(asked.act, Stage.EXPIRED, _subject_asked(asked), person)
                count += 1
    return count
