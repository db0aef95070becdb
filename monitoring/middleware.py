"""What tokens did to the same things that people act on in the admin is written down as well.

After the answer, and only when it was done: a sale asks for one look into a table here. The
services below know nothing of it; the exchange with KRA that an act led to is stored by itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from django.apps import apps
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from companies.models import ApiToken
from monitoring.acts.audit import Actor, Subject, company_id_of, record
from monitoring.models import AuditEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    act: str
    model: str
    # What the address calls the thing: `pk`, `serial`, or `number` within a run.
    name: str = "pk"
    # Gone afterwards: looked at before, in case.
    is_lost: bool = False


# The address does not name it: the answer does.
MADE = "id"

AUDITED = {
    ("POST", "invoice-correct"): Door("correct", "sales.Invoice"),
    ("POST", "invoice-void"): Door("void", "sales.Invoice"),
    ("POST", "invoice-retry"): Door("retry", "sales.Invoice"),
    ("POST", "device-suspend"): Door("suspend", "devices.Device", "serial"),
    ("POST", "device-resume"): Door("resume", "devices.Device", "serial"),
    ("POST", "device-keys"): Door("rotate_keys", "devices.Device", "serial"),
    ("POST", "device-import"): Door("import_key", "devices.Device", "serial"),
    ("POST", "device-resync"): Door("resync", "devices.Device", "serial"),
    ("POST", "difference-look-again"): Door("look_again", "sales.Difference", "number"),
    ("POST", "difference-adopt"): Door("adopt", "sales.Difference", "number"),
    ("POST", "difference-explain"): Door("explain", "sales.Difference", "number"),
    ("POST", "item-retry"): Door("retry", "items.Item", "sku"),
    ("POST", "movement-retry"): Door("retry", "items.StockMovement"),
    ("POST", "import-retry"): Door("retry", "items.ImportLine"),
    ("POST", "purchase-retry"): Door("retry", "purchases.Purchase"),
    ("POST", "customer-retry"): Door("retry", "sales.Customer"),
    ("POST", "branch-user-retry"): Door("retry", "sales.BranchUser"),
    ("POST", "insurance-retry"): Door("retry", "sales.Insurance"),
    ("POST", "token-list"): Door("issue", "companies.ApiToken", MADE),
    ("DELETE", "token"): Door("revoke", "companies.ApiToken"),
    ("POST", "member-list"): Door("add_member", "companies.Member", MADE),
    ("PATCH", "member"): Door("change_role", "companies.Member"),
    ("DELETE", "member"): Door("remove_member", "companies.Member", is_lost=True),
}


# Not every column: some are encrypted, some are long.
SHOWN: dict[str, tuple[str, ...]] = {
    "sales.Invoice": ("reference", "company"),
    "devices.Device": ("serial", "company"),
    "companies.ApiToken": ("name", "prefix", "company"),
    "sales.Difference": ("number", "kind", "company"),
    "companies.Member": ("role", "company", "user"),
}


class AuditedApi:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        door = AUDITED.get((request.method or "", match.url_name or "")) if match else None
        token: Any = getattr(request, "auth", None)
        is_done = response.status_code < 300 and isinstance(token, ApiToken)
        if is_done and door is not None and match is not None:
            made = {MADE: response.data.id} if door.name == MADE else {}  # type: ignore[attr-defined]
            _note(request, door, token, match.kwargs | made)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, names: Any) -> None:
        door = AUDITED.get((request.method or "", getattr(request.resolver_match, "url_name", "")))
        if door is not None and door.is_lost:
            found = apps.get_model(door.model)._default_manager.filter(pk=names["pk"]).first()
            lost = Subject.of(found, found.company_id) if found else None
            request._etims_lost = lost  # type: ignore[attr-defined]


def _note(request: HttpRequest, door: Door, token: ApiToken, names: dict[str, Any]) -> None:
    try:
        lost: Subject | None = getattr(request, "_etims_lost", None)
        subject, reason = lost or _subject(door, token, names), _reason(request)
        record(door.act, AuditEvent.Stage.DONE, subject, Actor.token(token), reason=reason)
    except DatabaseError:
        # It is done and answered: the caller must not hear that it was not.
        log.exception("not audited", extra={"outcome": door.act})


def _subject(door: Door, token: ApiToken, names: dict[str, Any]) -> Subject:
    """The thing itself, where it is still found; else as the address names it."""
    model: Any = apps.get_model(door.model)
    rows = model.objects.visible_to(token)
    if door.name == "number":
        rows = rows.filter(run=names["pk"], number=names["number"])
    else:
        rows = rows.filter(**{door.name: names[door.name]})
    shown = SHOWN.get(door.model)
    found = (rows.only("pk", *shown) if shown else rows).first()
    if found is None:
        return Subject(door.model, "", str(names[door.name])[:200], token.company_id)
    return Subject.of(found, company_id_of(found))


def _reason(request: HttpRequest) -> str:
    """The reason that the body gave, if it has one; the view has read and checked the body."""
    try:
        body = msgspec.json.decode(getattr(request, "_body", b""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    reason = body.get("reason", "") if isinstance(body, dict) else ""
    return reason if isinstance(reason, str) else ""
