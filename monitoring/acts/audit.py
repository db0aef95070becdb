"""Traces of what was done."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from companies.models import ApiToken, Company
from core.context import request_id
from monitoring.models import AuditEvent


@dataclass(frozen=True)
class Actor:
    kind: str
    name: str
    id: int | None = None

    @classmethod
    def person(cls, user: Any) -> "Actor":
        return cls(AuditEvent.Actor.PERSON, user.get_username(), user.pk)

    @classmethod
    def token(cls, token: ApiToken) -> "Actor":
        return cls(AuditEvent.Actor.TOKEN, str(token), token.pk)


@dataclass(frozen=True)
class Subject:
    """The thing that was acted on, as words that outlive it."""

    model: str
    pk: str
    text: str
    company_id: int | None

    @classmethod
    def of(cls, obj: Model, company_id: int | None) -> "Subject":
        return cls(obj._meta.label, str(obj.pk), str(obj)[:200], company_id)


def record(act: str, stage: str, subject: Subject, actor: Actor, **facts: Any) -> AuditEvent:
    """Add one row. `facts`: reason, detail, key."""
    for name, limit in (("reason", 400), ("detail", 500)):
        facts[name] = facts.get(name, "")[:limit]
    return AuditEvent.objects.create(
        act=act,
        stage=stage,
        model=subject.model,
        object_id=subject.pk,
        object_text=subject.text,
        company_id=subject.company_id,
        actor_kind=actor.kind,
        actor=actor.name[:150],
        actor_id=actor.id,
        request_id=request_id.get()[:64],
        **facts,
    )


def company_id_of(obj: Any) -> int | None:
    """The id of the company that owns a row, whichever way leads there, without loading it."""
    if isinstance(obj, Company):
        return int(obj.pk)
    for path in ((), ("device",), ("lane", "device")):
        found = obj
        for name in path:
            found = getattr(found, name, None)
        company_id = getattr(found, "company_id", None)
        if company_id is not None:
            return int(company_id)
    return None
