"""Every door of the API: what opens it, and whose things lie behind it.

The paths and methods must be those of the OpenAPI document; test_tenancy.py compares them.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
from django.test import Client
from django.utils import timezone

from companies.models import Scope
from devices.models import Call
from items.models import Classification, Code, Item, StockMovement
from outbox.models import Status
from sales.models import Difference, Invoice, ReconciledDay, Reconciliation
from sales.tests import shop as offline

READERS = (Scope.SALES_READ, Scope.ITEMS_WRITE)
REPORTERS = (Scope.SALES_READ, Scope.REPORTS_READ)


@dataclass(frozen=True)
class Door:
    """`behind`: what lies there. `object`: a thing the path or the body names; `list`: rows;
    `own`: the caller's own company; `operator`: all companies; `everybody`: no token is asked for.
    `by_device`: a token bound to another device is kept out as well.
    """

    behind: str
    scopes: tuple[Scope, ...] = ()
    body: Any = None
    # Answered to the rightful caller; KRA cannot be reached in these tests.
    status: int = 200
    by_device: bool = True
    names: dict[str, str] = field(default_factory=dict)


def own(scope: Scope, body: Any, status: int = 201, **more: Any) -> Door:
    return Door("own", (scope,), body, status, **({"by_device": False} | more))


REASON = {"reason": "because of a test"}
LINE = [{"item": "A-ONLY", "quantity": "1"}]
SALE = {"device": "dvc-a1", "reference": "NEW-1", "lines": LINE}
COMPANY, DEVICES = (Scope.COMPANY_WRITE,), (Scope.DEVICES_WRITE,)
WRITE, ITEMS = (Scope.SALES_WRITE,), (Scope.ITEMS_WRITE,)
CORRECTION = {"lines": LINE}
NOTE = {"device": "dvc-a1", "reference": "NEW-2", "original": "SALE-1"}
KEY = {"branch": "00", "key": "another-key", "scu_id": "KRACU2"}
BOOKS = (Scope.REPORTS_READ, Scope.SALES_WRITE)
PERIOD = {"device": "dvc-a1", "from": "2026-01-05"}
STOCK = {"device": "dvc-a1", "reference": "IN-2", "type": "opening", "lines": LINE}
ROW = {"sku": "NEW", "name": "New", "classification": "1000000000", "tax": "B", "price": "1"}
ONBOARD = {
    "pin": "C000000003C",
    "name": "Gamma",
    "environment": "simulator",
    "head_office": {"code": "00", "name": "Head office"},
}

DOORS = {
    "GET /health/": Door("everybody"),
    "GET /health/live/": Door("everybody"),
    "GET /health/ready/": Door("everybody"),
    "POST /api/company/onboard/": Door("operator", (Scope.PLATFORM,), ONBOARD, 201),
    "GET /api/companies/": Door(
        "list", (Scope.COMPANY_WRITE, *REPORTERS), by_device=False
    ),
    "GET /api/branches/": Door("list", (*COMPANY, Scope.SALES_READ), by_device=False),
    "POST /api/branches/": own(Scope.COMPANY_WRITE, {"code": "07", "name": "Thika"}),
    "GET /api/tokens/": Door("list", COMPANY),
    "POST /api/tokens/": own(Scope.COMPANY_WRITE, {"name": "till", "scopes": ["sales:write"]}),
    "DELETE /api/tokens/{id}/": Door("object", COMPANY, status=204),
    "GET /api/members/": Door("list", COMPANY, by_device=False),
    "POST /api/members/": own(Scope.COMPANY_WRITE, {"username": "somebody", "role": "auditor"}),
    "GET /api/devices/": Door("list", (*DEVICES, Scope.SALES_READ)),
    "POST /api/device/init/": own(
        Scope.DEVICES_WRITE, {"serial": "dvc-a1", "branch": "00"}, 200, by_device=True
    ),
    "POST /api/device/test-connection/": Door(
        "object", (*DEVICES, *WRITE), {"serial": "dvc-a1"}
    ),
    "POST /api/device/{serial}/generate-keys/": Door("object", DEVICES, {}, 201),
    "POST /api/device/{serial}/import-key/": own(
        Scope.DEVICES_WRITE, KEY, 200, by_device=True, names={"serial": "dvc-a3"}
    ),
    "POST /api/device/{serial}/suspend/": Door("object", DEVICES, REASON),
    "POST /api/device/{serial}/resume/": Door(
        "object", DEVICES, REASON, names={"serial": "dvc-a3"}
    ),
    "POST /api/device/{serial}/resync-counter/": Door(
        "object", DEVICES, REASON | {"last_number": 7}, 409
    ),
    "POST /api/item/sync/": own(Scope.ITEMS_WRITE, {"items": [ROW]}, 200),
    "GET /api/items/": Door("list", READERS, by_device=False),
    "GET /api/items/{sku}/": Door("object", READERS, by_device=False),
    "POST /api/items/{sku}/retry/": Door("object", ITEMS, {}, 409, by_device=False),
    "GET /api/codes/{class_id}/": Door("object", READERS, by_device=False),
    "GET /api/classifications/": Door("list", READERS, by_device=False),
    "GET /api/stock/": Door("list", READERS, by_device=False),
    "POST /api/stock/": Door("object", ITEMS, STOCK, 201),
    "GET /api/stock/movements/": Door("list", READERS),
    "POST /api/stock/movements/{id}/retry/": Door("object", ITEMS, {}),
    "POST /api/sales/": Door("object", WRITE, SALE, 202),
    "POST /api/sales/preview/": Door("object", (*WRITE, Scope.SALES_READ), SALE),
    "POST /api/sales/bulk/": Door("own", WRITE, {"sales": [SALE]}),
    "POST /api/credit-notes/": Door("object", WRITE, NOTE, 202),
    "GET /api/invoices/": Door("list", REPORTERS),
    "GET /api/invoices/{id}/": Door("object", REPORTERS),
    "POST /api/invoices/{id}/correct/": Door("object", WRITE, CORRECTION, 202),
    "POST /api/invoices/{id}/void/": Door("object", WRITE, REASON),
    "POST /api/invoices/{id}/retry/": Door("object", WRITE, {}, 202, names={"id": "waiting"}),
    "GET /api/invoices/{id}/receipt/": Door(
        "object", (Scope.SALES_READ, *WRITE), names={"id": "signed"}
    ),
    "GET /api/reconciliations/": Door("list", (Scope.REPORTS_READ,)),
    "POST /api/reconciliations/": Door("object", BOOKS, PERIOD, 202),
    "GET /api/reconciliations/month/": Door("own", (Scope.REPORTS_READ,), by_device=False),
    "GET /api/reconciliations/{id}/": Door("object", (Scope.REPORTS_READ,)),
    "POST /api/reconciliations/{id}/differences/{number}/look-again/": Door(
        "object", WRITE, {}, 502
    ),
    "POST /api/reconciliations/{id}/differences/{number}/adopt/": Door("object", WRITE, {}, 409),
    "POST /api/reconciliations/{id}/differences/{number}/explain/": Door("object", WRITE, REASON),
    "GET /api/logs/": Door("list", (Scope.LOGS_READ,)),
    "GET /api/logs/{id}/": Door("object", (Scope.LOGS_READ,)),
    "GET /api/dashboard/": Door("own", (Scope.REPORTS_READ,)),
}  # fmt: skip

# All that alpha wrote holds this word, and nothing that a stranger may read does.
WORD = "alphaville"


@dataclass
class World:
    """Alpha with all it can have, and where each of its things is found."""

    shop: Any
    things: dict[str, Any]

    def path(self, name: str) -> str:
        """The door's address with alpha's things in it."""
        door, path = DOORS[name], name.split()[1]
        kind = next(
            (
                k
                for k in ("tokens", "movements", "invoices", "logs", "reconciliations")
                if k in path
            ),
            "",
        )
        values = {
            "serial": "dvc-a1",
            "sku": "A-ONLY",
            "class_id": "99",
            "id": kind,
            "number": 9,
        } | door.names
        values["id"] = self.things.get(values["id"], "")
        return path.format_map(values)


def knock(name: str, path: str, secret: str | None, body: Any = None) -> Any:
    """Go to a door with a token, or without."""
    headers = {} if secret is None else {"Authorization": f"Token {secret}"}
    given = DOORS[name].body if body is None else body
    return Client().generic(
        name.split()[0],
        path,
        b"" if given is None else msgspec.json.encode(given),
        content_type="application/json",
        headers=headers,
    )


def furnish(alpha: Any) -> World:
    """Fill alpha with one of everything."""
    company, device = alpha.company, alpha.device
    Item.objects.filter(company=company).update(name="Alphaville goods")
    Item.objects.filter(company=company, sku="KETTLE").update(sku="A-ONLY")
    facts = {"environment": company.environment, "name": "Alphaville"}
    Code.objects.create(class_id="99", code="1", changed_at=timezone.now(), **facts)
    Classification.objects.create(code="99", **facts)
    spare = offline.add_device(company, "dvc-a3")
    type(spare).objects.filter(pk=spare.pk).update(state="suspended", state_reason="Alphaville")
    for path, body in [
        ("/api/members/", {"username": "alphaville-owner", "role": "owner"}),
        ("/api/branches/", {"code": "01", "name": "Alphaville market"}),
        ("/api/tokens/", {"name": "Alphaville till", "scopes": ["sales:read"], "device": "dvc-a1"}),
        ("/api/stock/", STOCK | {"reference": "IN-1", "reason": "Alphaville"}),
    ]:
        assert alpha.post(path, body).status_code == 201, path
    StockMovement.objects.update(state=StockMovement.State.REFUSED)
    sales = [_sell(alpha, f"SALE-{n}") for n in (1, 2, 3)]
    offline.sign(sales[0], 7)
    offline.settle(sales[1], Status.REFUSED, error_code="910", error_message="Alphaville")
    call = Call.objects.create(
        company=company,
        device=device,
        endpoint="sales_save",
        transmission=sales[1].transmission_id,
        request="Alphaville",
        answer="Alphaville",
        reason="Alphaville",
        started_at=timezone.now(),
    )
    things = {
        "tokens": company.tokens.get(name="Alphaville till").pk,
        "movements": StockMovement.objects.get(company=company).pk,
        "invoices": sales[1].pk,
        "signed": sales[0].pk,
        "waiting": sales[2].pk,
        "logs": call.pk,
        "reconciliations": _compare(device).pk,
    }
    return World(alpha, things)


def _compare(device: Any) -> Reconciliation:
    now, day = timezone.now(), date(2026, 11, 1)
    owned = {"company": device.company, "device": device}
    run = Reconciliation.objects.create(
        first_day=day,
        last_day=day,
        stage="done",
        verdict="differs",
        finished_at=now,
        not_before=now,
        requested_by="Alphaville",
        **owned,
    )
    ReconciledDay.objects.create(run=run, day=day, kra_sales=1, **owned)
    facts = {"number": 9, "day": day, "kind": "missing_here", "state": "open"}
    Difference.objects.create(run=run, detail="Alphaville", **facts, **owned)
    return run


def _sell(alpha: Any, reference: str) -> Invoice:
    buyer = {"pin": "A123456789Z", "name": "Alphaville Buyer", "phone": "0712345678"}
    more = {"customer": buyer, "remark": "Alphaville", "lines": LINE}
    sold: Invoice = alpha.sell(reference, **more)
    return sold
