"""What a company may do with its webhooks."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from companies.models import Company
from core.errors import Conflict, Invalid, Problem
from devices.models import Device
from monitoring.models import Delivery, Endpoint

from . import delivery, sending
from .addresses import AddressRefused, target_of

State = Endpoint.State
BY_A_PERSON = "Switched off by a person."


class TooManyWebhooks(Conflict):
    code = "too_many_webhooks"
    help = "Delete one that is not needed: DELETE /api/webhooks/{id}/."


class WebhookDisabled(Conflict):
    code = "webhook_disabled"
    help = 'Switch it on first: PATCH /api/webhooks/{id}/ with {"is_active": true}.'


@dataclass(frozen=True, slots=True)
class Wish:
    """What an endpoint shall be."""

    url: str
    events: list[str]
    description: str = ""
    device: Device | None = None
    problems: list[Problem] = field(default_factory=list)


def check_url(url: str) -> None:
    """All that can be said without asking a resolver; the rest is checked at each attempt."""
    try:
        target_of(url)
    except AddressRefused as error:
        step = "Give an https:// address of the public internet (docs/webhooks.md)."
        raise Invalid(
            "The request is not valid.", problems=[Problem("url", str(error), step)]
        ) from error


@transaction.atomic
def create(company: Company, wish: Wish) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which cannot be read again. Raises Invalid, Conflict."""
    check_url(wish.url)
    # One at a time per company, or two requests together would pass the limit.
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    held = Endpoint.objects.kept().filter(company=company).count()
    if held >= settings.WEBHOOK_MAX_PER_COMPANY:
        raise TooManyWebhooks(f"The company has {held} webhooks.")
    secret = sending.new_secret()
    made = Endpoint.objects.create(
        company=company,
        device=wish.device,
        url=wish.url,
        events=sorted(set(wish.events)),
        description=wish.description,
        secret=secret,
    )
    return made, secret


def change(endpoint: Endpoint, **changes: Any) -> None:
    """`changes`: url, events, description, is_active. Switching on forgets past failures."""
    if "url" in changes:
        check_url(changes["url"])
    if "events" in changes:
        changes["events"] = sorted(set(changes["events"]))
    is_active = changes.pop("is_active", None)
    if is_active is not None:
        changes["state"] = State.ACTIVE if is_active else State.DISABLED
        changes["state_reason"] = "" if is_active else BY_A_PERSON
    if is_active or "url" in changes:
        changes |= {"failures": 0, "failing_since": None, "resume_at": None}
    if changes:
        Endpoint.objects.kept().filter(pk=endpoint.pk).update(**changes)


@transaction.atomic
def delete(endpoint: Endpoint) -> None:
    """The row stays, without its secrets and its URL; what waited is given up."""
    Endpoint.objects.filter(pk=endpoint.pk).update(
        state=State.DELETED,
        url="",
        secret="",
        previous_secret="",
        previous_until=None,
    )
    waiting = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.PENDING)
    now = timezone.now()
    waiting.update(state=Delivery.State.FAILED, finished_at=now, last_error="Webhook deleted.")


@transaction.atomic
def rotate_secret(endpoint: Endpoint) -> tuple[Endpoint, str]:
    """A new secret. The present one goes on signing beside it for WEBHOOK_ROTATION_HOURS."""
    held = Endpoint.objects.kept().select_for_update(no_key=True).get(pk=endpoint.pk)
    secret = sending.new_secret()
    held.previous_secret, held.secret = held.secret, secret
    held.previous_until = timezone.now() + timedelta(hours=settings.WEBHOOK_ROTATION_HOURS)
    held.save(update_fields=["secret", "previous_secret", "previous_until"])
    return held, secret


def ping(endpoint: Endpoint) -> sending.Answer:
    """Send a `ping` now, whatever the endpoint's state. Nothing is stored or retried."""
    body = {"type": "ping", "timestamp": timezone.now(), "data": {"webhook": endpoint.pk}}
    message_id = f"ping_{uuid.uuid4().hex}"
    return delivery.send(endpoint, message_id, msgspec.json.encode(body))


def replay_one(endpoint: Endpoint, pk: int) -> int:
    """Send one event again; a waiting one goes now."""
    _require_active(endpoint)
    return _again(Delivery.objects.filter(endpoint=endpoint, pk=pk))


@transaction.atomic
def replay_since(endpoint: Endpoint, moment: datetime) -> int:
    """Send all that failed since then, and what was recorded while the endpoint was off."""
    _require_active(endpoint)
    failed = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.FAILED)
    missed = _owe_missed(endpoint, moment)
    return missed + _again(failed.filter(event__created_at__gte=moment))


def _again(rows: Any) -> int:
    now = timezone.now()
    changed: int = rows.update(
        state=Delivery.State.PENDING, next_attempt_at=now, due_since=now, finished_at=None
    )
    return changed


def _owe_missed(endpoint: Endpoint, moment: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_delivery"
            " (event_id, endpoint_id, state, attempts, next_attempt_at, due_since)"
            " SELECT id, %s, 'pending', 0, %s, %s FROM monitoring_event"
            " WHERE company_id = %s AND created_at >= %s AND kind = ANY(%s)"
            " AND (%s::bigint IS NULL OR device_id = %s)"
            " ON CONFLICT (event_id, endpoint_id) DO NOTHING",
            [
                endpoint.pk, *[timezone.now()] * 2, endpoint.company_id, moment,
                endpoint.events, endpoint.device_id, endpoint.device_id,
            ],
        )  # fmt: skip
        return int(cursor.rowcount)


def _require_active(endpoint: Endpoint) -> None:
    if endpoint.state != State.ACTIVE:
        raise WebhookDisabled(f"The webhook is {endpoint.state}: {endpoint.state_reason}")
