"""Every door of the API: what opens it, and whose things lie behind it.

The paths and methods must be those of the OpenAPI document; test_tenancy.py compares them.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import msgspec
from django.test import Client
from django.utils import timezone

from companies.models import Company, Scope
from devices.models import Call, Device
from items.models import Classification, Code, ImportLine, Item, Notice, StockMovement
from monitoring.models import Alert, Endpoint
from monitoring.retention.holds import place
from monitoring.webhooks.recording import record
from monitoring.webhooks.sending import new_secret
from outbox.models import Status
from purchases.models import Purchase, PurchaseLine
from sales.models import (
    BranchUser,
    Customer,
    Difference,
    Insurance,
    Invoice,
    PinRecord,
    ReconciledDay,
    Reconciliation,
)
from sales.reports.closing import close_day
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
    query: str = ""


def own(scope: Scope | tuple[Scope, ...], body: Any, status: int = 201, **more: Any) -> Door:
    scopes = (scope,) if isinstance(scope, Scope) else scope
    return Door("own", scopes, body, status, **({"by_device": False} | more))


REASON = {"reason": "because of a test"}
LINE = [{"item": "A-ONLY", "quantity": "1"}]
SALE = {"device": "dvc-a1", "reference": "NEW-1", "lines": LINE}
BUYERS, BUY = (Scope.PURCHASES_READ, Scope.PURCHASES_WRITE), (Scope.PURCHASES_WRITE,)
COMPANY, DEVICES = (Scope.COMPANY_WRITE,), (Scope.DEVICES_WRITE,)
WRITE, ITEMS = (Scope.SALES_WRITE,), (Scope.ITEMS_WRITE,)
CORRECTION = {"lines": LINE}
NOTE = {"device": "dvc-a1", "reference": "NEW-2", "original": "SALE-1"}
SEEN, OFFICE = (Scope.SALES_READ, *WRITE), (Scope.SALES_READ, *COMPANY)
CUSTOMER = {"device": "dvc-a1", "number": "C-2", "pin": "P000000000B", "name": "New"}
USER = {"device": "dvc-a1", "user_id": "u-2", "name": "New", "password": "opens nothing"}
INSURANCE = {"device": "dvc-a1", "code": "I-2", "name": "New", "rate": 20}
KEY = {"branch": "00", "key": "another-key", "scu_id": "KRACU2"}
BOOKS = (Scope.REPORTS_READ, Scope.SALES_WRITE)
HOOKS = (Scope.WEBHOOKS_WRITE,)
PERIOD = {"device": "dvc-a1", "from": "2026-01-05"}
STOCK = {"device": "dvc-a1", "reference": "IN-2", "type": "opening", "lines": LINE}
TRANSFER = {"reference": "MOVE-1", "from_branch": "00", "to_branch": "01", "lines": LINE}
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
    "GET /api/company/branding/": Door("own", OFFICE, by_device=False),
    "PATCH /api/company/branding/": own(Scope.COMPANY_WRITE, {"language": "sw"}, 200),
    # No logo is there, and JSON is no picture.
    "GET /api/company/branding/logo/": Door("own", OFFICE, status=404, by_device=False),
    "PUT /api/company/branding/logo/": own(Scope.COMPANY_WRITE, {}, 415),
    "DELETE /api/company/branding/logo/": own(Scope.COMPANY_WRITE, None, 200),
    "GET /api/companies/": Door(
        "list", (Scope.COMPANY_WRITE, *REPORTERS), by_device=False
    ),
    "GET /api/branches/": Door("list", (*COMPANY, Scope.SALES_READ), by_device=False),
    "POST /api/branches/": own(Scope.COMPANY_WRITE, {"code": "07", "name": "Thika"}),
    "POST /api/branches/sync/": Door("object", COMPANY, {"device": "dvc-a1"}, 502),
    "GET /api/tokens/": Door("list", COMPANY),
    "POST /api/tokens/": own(Scope.COMPANY_WRITE, {"name": "till", "scopes": ["sales:write"]}),
    "DELETE /api/tokens/{id}/": Door("object", COMPANY, status=204),
    "GET /api/members/": Door("list", COMPANY, by_device=False),
    "POST /api/members/": own(Scope.COMPANY_WRITE, {"username": "somebody", "role": "auditor"}),
    "PATCH /api/members/{id}/": Door(
        "object", COMPANY, {"role": "manager"}, 409, by_device=False
    ),
    "DELETE /api/members/{id}/": Door("object", COMPANY, status=409, by_device=False),
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
    "POST /api/item/import/": own(Scope.ITEMS_WRITE, {"items": [ROW]}, 200),
    "GET /api/item/defaults/": Door("own", READERS, by_device=False),
    "PUT /api/item/defaults/": own(
        Scope.ITEMS_WRITE, {"defaults": [{"category": "Kitchen", "tax": "B"}]}, 200
    ),
    "GET /api/items/not-ready/": Door("list", READERS, by_device=False),
    # KRA cannot be asked here.
    "POST /api/items/reconcile/": own(Scope.ITEMS_WRITE, {}, 502),
    "GET /api/items/{sku}/composition/": Door("object", READERS, by_device=False),
    "POST /api/items/{sku}/composition/": Door(
        "object", ITEMS, {"component": "SEED", "quantity": "2"}, 202, by_device=False
    ),
    "GET /api/items/": Door("list", READERS, by_device=False),
    "GET /api/items/{sku}/": Door("object", READERS, by_device=False),
    "PATCH /api/items/{sku}/": Door("object", ITEMS, {"is_active": False}, by_device=False),
    "POST /api/items/{sku}/retry/": Door("object", ITEMS, {}, 409, by_device=False),
    "GET /api/codes/": Door("own", READERS, by_device=False),
    "GET /api/tax-rates/": Door("own", READERS, by_device=False),
    "GET /api/notices/": Door("list", READERS, by_device=False),
    "GET /api/codes/{class_id}/": Door("object", READERS, by_device=False),
    "GET /api/classifications/": Door("list", READERS, by_device=False),
    # Without ?name=.
    "GET /api/classifications/suggest/": Door("own", READERS, status=400, by_device=False),
    "GET /api/stock/": Door("list", READERS, by_device=False),
    "POST /api/stock/": Door("object", ITEMS, STOCK, 201),
    "POST /api/stock/transfers/": Door("object", ITEMS, TRANSFER, 409, by_device=False),
    "POST /api/stock/reconcile/": Door("object", ITEMS, {"device": "dvc-a1"}, 502),
    "GET /api/stock/movements/": Door("list", READERS),
    "POST /api/stock/movements/{id}/retry/": Door("object", ITEMS, {}),
    "GET /api/purchases/": Door("list", BUYERS, by_device=False),
    "POST /api/purchases/sync/": own(Scope.PURCHASES_WRITE, {}, 502),
    "GET /api/purchases/{id}/": Door("object", BUYERS, by_device=False),
    "POST /api/purchases/{id}/match/": Door(
        "object", BUY, {"lines": [{"line": 1, "item": "A-ONLY"}]}, by_device=False
    ),
    "POST /api/purchases/{id}/confirm/": Door("object", BUY, {}, 202, by_device=False),
    "POST /api/purchases/{id}/reject/": Door("object", BUY, REASON, by_device=False),
    "POST /api/purchases/{id}/reopen/": Door("object", BUY, {}, 409, by_device=False),
    "POST /api/purchases/{id}/retry/": Door("object", BUY, {}, 409, by_device=False),
    "GET /api/imports/": Door("list", READERS, by_device=False),
    # KRA cannot be asked here.
    "POST /api/imports/sync/": own(Scope.ITEMS_WRITE, {}, 502),
    "GET /api/imports/{id}/": Door("object", READERS, by_device=False),
    "POST /api/imports/{id}/match/": Door(
        "object", ITEMS, {"item": "A-ONLY"}, by_device=False
    ),
    "POST /api/imports/{id}/approve/": Door(
        "object", ITEMS, {"item": "A-ONLY"}, 202, by_device=False
    ),
    "POST /api/imports/{id}/reject/": Door(
        "object", ITEMS, REASON | {"item": "A-ONLY"}, 202, by_device=False
    ),
    "POST /api/imports/{id}/retry/": Door("object", ITEMS, {}, 409, by_device=False),
    "POST /api/sales/": Door("object", WRITE, SALE, 202),
    "POST /api/sales/preview/": Door("object", (*WRITE, Scope.SALES_READ), SALE),
    "POST /api/sales/bulk/": Door("own", WRITE, {"sales": [SALE]}),
    "POST /api/credit-notes/": Door("object", WRITE, NOTE, 202),
    "GET /api/invoices/": Door("list", REPORTERS),
    "GET /api/invoices/{id}/": Door("object", REPORTERS),
    "POST /api/invoices/{id}/correct/": Door("object", WRITE, CORRECTION, 202),
    "POST /api/invoices/{id}/void/": Door("object", WRITE, REASON),
    "POST /api/invoices/{id}/retry/": Door("object", WRITE, {}, 202, names={"id": "waiting"}),
    # No mail server is known here.
    "GET /api/invoices/{id}/email/": Door("object", SEEN, names={"id": "signed"}),
    "POST /api/invoices/{id}/email/": Door(
        "object", WRITE, {"address": "buyer@example.com"}, 409, names={"id": "signed"}
    ),
    "GET /api/invoices/{id}/receipt/": Door(
        "object", (Scope.SALES_READ, *WRITE), names={"id": "signed"}
    ),
    "GET /api/invoices/{id}/receipt.{suffix}": Door(
        "object", (Scope.SALES_READ, *WRITE), names={"id": "signed"}
    ),
    # None of it was printed.
    "POST /api/invoices/{id}/receipt/spoiled/": Door(
        "object", WRITE, REASON, 409, names={"id": "signed"}
    ),
    "GET /api/invoices/{id}/prints/": Door("object", REPORTERS, names={"id": "signed"}),
    "POST /api/sales/proforma/": Door("object", WRITE, SALE),
    "POST /api/sales/proforma.{suffix}": Door("object", WRITE, SALE),
    "GET /api/reports/x/": Door("object", (Scope.REPORTS_READ,), query="?device=dvc-a1"),
    "GET /api/reports/z/": Door("list", (Scope.REPORTS_READ,)),
    "POST /api/reports/z/": Door("object", (Scope.REPORTS_WRITE,), {"device": "dvc-a1"}, 201),
    "GET /api/reports/z/{id}/": Door("object", (Scope.REPORTS_READ,)),
    "GET /api/reports/plu/": Door("object", (Scope.REPORTS_READ,), query="?device=dvc-a1"),
    "GET /api/reports/vat/": Door("object", (Scope.REPORTS_READ,), query="?device=dvc-a1"),
    "GET /api/reports/payments/": Door("object", (Scope.REPORTS_READ,), query="?device=dvc-a1"),
    "GET /api/reconciliations/": Door("list", (Scope.REPORTS_READ,)),
    "POST /api/reconciliations/": Door("object", BOOKS, PERIOD, 202),
    "GET /api/reconciliations/month/": Door("own", (Scope.REPORTS_READ,), by_device=False),
    "GET /api/reconciliations/{id}/": Door("object", (Scope.REPORTS_READ,)),
    "POST /api/reconciliations/{id}/differences/{number}/look-again/": Door(
        "object", WRITE, {}, 502
    ),
    "POST /api/reconciliations/{id}/differences/{number}/adopt/": Door("object", WRITE, {}, 409),
    "POST /api/reconciliations/{id}/differences/{number}/explain/": Door("object", WRITE, REASON),
    "GET /api/customers/lookup/": own(SEEN, None, 200, query="?pin=P000000000B"),
    # They belong to the branch: each of its devices sees them.
    "GET /api/customers/": Door("list", SEEN, by_device=False),
    "POST /api/customers/": Door("object", WRITE, CUSTOMER, 201),
    "GET /api/customers/{id}/": Door("object", SEEN, by_device=False),
    "POST /api/customers/{id}/retry/": Door("object", WRITE, {}, by_device=False),
    "GET /api/branch-users/": Door("list", OFFICE, by_device=False),
    "POST /api/branch-users/": Door("object", COMPANY, USER, 201),
    "GET /api/branch-users/{id}/": Door("object", OFFICE, by_device=False),
    "POST /api/branch-users/{id}/retry/": Door("object", COMPANY, {}, by_device=False),
    "GET /api/insurances/": Door("list", OFFICE, by_device=False),
    "POST /api/insurances/": Door("object", COMPANY, INSURANCE, 201),
    "GET /api/insurances/{id}/": Door("object", OFFICE, by_device=False),
    "POST /api/insurances/{id}/retry/": Door("object", COMPANY, {}, by_device=False),
    "GET /api/logs/": Door("list", (Scope.LOGS_READ,)),
    "GET /api/logs/{id}/": Door("object", (Scope.LOGS_READ,)),
    "GET /api/journal/": Door("object", (Scope.LOGS_READ,), query="?device=dvc-a1"),
    "GET /api/holds/": Door("list", COMPANY),
    "POST /api/holds/": own(Scope.COMPANY_WRITE, REASON),
    "POST /api/holds/{id}/release/": Door("operator", (Scope.PLATFORM,), REASON),
    "GET /api/alerts/": Door("list", (Scope.REPORTS_READ,)),
    "POST /api/alerts/test/": Door("operator", (Scope.PLATFORM,), {}),
    "GET /api/dashboard/": Door("own", (Scope.REPORTS_READ,)),
    "GET /api/events/": Door("list", (Scope.SALES_READ, *WRITE, *HOOKS)),
    "GET /api/webhooks/": Door("list", HOOKS),
    "POST /api/webhooks/": own(HOOKS, {"url": "https://pos.test/", "events": ["sale.signed"]}),
    "GET /api/webhooks/{id}/": Door("object", HOOKS),
    "PATCH /api/webhooks/{id}/": Door("object", HOOKS, {"description": "new"}),
    "DELETE /api/webhooks/{id}/": Door("object", HOOKS, status=204),
    "POST /api/webhooks/{id}/rotate-secret/": Door("object", HOOKS, {}),
    "POST /api/webhooks/{id}/test/": Door("object", HOOKS, {}),
    "GET /api/webhooks/{id}/deliveries/": Door("object", HOOKS),
    "POST /api/webhooks/{id}/replay/": Door(
        "object", HOOKS, {"since": "2026-11-01T00:00:00+03:00"}, 202
    ),
}  # fmt: skip


# All that alpha wrote holds this word, and nothing that a stranger may read does.
WORD = "alphaville"


@dataclass
class World:
    """Alpha with all it can have, and where each of its things is found."""

    shop: Any
    things: dict[str, Any]

    def again(self) -> "World":
        """For another test: what one changes in its objects, the next does not see."""
        company = Company.objects.get(pk=self.shop.company.pk)
        device = Device.objects.select_related("company", "branch").get(pk=self.shop.device.pk)
        return World(replace(self.shop, company=company, device=device), self.things)

    def path(self, name: str) -> str:
        """The door's address with alpha's things in it."""
        door, path = DOORS[name], name.split()[1]
        kind = next((k for k in self.things if f"/{k}/" in path), "")
        values: dict[str, Any] = {
            "serial": "dvc-a1",
            "sku": "A-ONLY",
            "class_id": "99",
            "id": kind,
            "number": 9,
            "suffix": "txt",
        }
        values |= door.names
        values["id"] = self.things.get(values["id"], "")
        return path.format_map(values) + door.query


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


# What alpha makes through the API itself.
OPENED: list[tuple[str, dict[str, Any]]] = [
    ("/api/members/", {"username": "alphaville-owner", "role": "owner"}),
    ("/api/branches/", {"code": "01", "name": "Alphaville market"}),
    ("/api/tokens/", {"name": "Alphaville till", "scopes": ["sales:read"], "device": "dvc-a1"}),
    ("/api/stock/", STOCK | {"reference": "IN-1", "reason": "Alphaville"}),
    ("/api/customers/", CUSTOMER | {"number": "C-1", "name": "Alphaville Buyer"}),
    ("/api/branch-users/", USER | {"user_id": "u-1", "name": "Alphaville Cashier"}),
    ("/api/insurances/", INSURANCE | {"code": "I-1", "name": "Alphaville Insurer"}),
]


def furnish(alpha: Any) -> World:
    """Fill alpha with one of everything."""
    company, device = alpha.company, alpha.device
    _name_all(company)
    for path, body in OPENED:
        assert alpha.post(path, body).status_code == 201, path
    StockMovement.objects.update(state=StockMovement.State.REFUSED)
    sales = [_sell(alpha, f"SALE-{n}") for n in (1, 2, 3)]
    offline.sign(sales[0], 7)
    offline.settle(sales[1], Status.REFUSED, error_code="910", error_message="Alphaville")
    _warn(device)
    things = {
        "customers": Customer.objects.get(company=company).pk,
        "branch-users": BranchUser.objects.get(company=company).pk,
        "insurances": Insurance.objects.get(company=company).pk,
        "members": company.members.get().pk,
        "tokens": company.tokens.get(name="Alphaville till").pk,
        "movements": StockMovement.objects.get(company=company).pk,
        "invoices": sales[1].pk,
        "signed": sales[0].pk,
        "waiting": sales[2].pk,
        "logs": _called(device, sales[1]).pk,
        "purchases": _offer(alpha).pk,
        "reconciliations": _compare(device).pk,
        "z": close_day(device, day=date(2020, 1, 1), by="Alphaville").pk,
        "imports": _declare(company).pk,
        "webhooks": _listen(alpha).pk,
        "holds": place(company, device, reason="Alphaville", by="a test").pk,
    }
    return World(alpha, things)


def _warn(device: Any) -> None:
    Alert.objects.create(
        rule="conflict",
        subject="lane:1",
        severity="critical",
        company=device.company,
        device=device,
        title="Alphaville",
        **dict.fromkeys(("since", "opened_at", "seen_at"), timezone.now()),
    )


def _name_all(company: Any) -> None:
    """The catalogue, KRA's lists and a device of no use bear alpha's name."""
    Item.objects.filter(company=company).update(name="Alphaville goods")
    Item.objects.filter(company=company, sku="KETTLE").update(sku="A-ONLY")
    facts = {"environment": company.environment, "name": "Alphaville"}
    Code.objects.create(class_id="99", code="1", changed_at=timezone.now(), **facts)
    Classification.objects.create(code="99", **facts)
    about = {"environment": company.environment, "changed_at": timezone.now()}
    Notice.objects.create(number=1, title="Alphaville", **about)
    spare = offline.add_device(company, "dvc-a3")
    type(spare).objects.filter(pk=spare.pk).update(state="suspended", state_reason="Alphaville")
    buyer = {"pin": "P000000000B", "name": "Alphaville Buyer", "asked_at": timezone.now()}
    PinRecord.objects.create(environment=company.environment, **buyer)


def _called(device: Any, sale: Invoice) -> Call:
    return Call.objects.create(
        company=device.company,
        device=device,
        endpoint="sales_save",
        transmission=sale.transmission_id,
        request="Alphaville",
        answer="Alphaville",
        reason="Alphaville",
        started_at=timezone.now(),
    )


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


def _listen(alpha: Any) -> Endpoint:
    """A webhook that nothing answers, and an event for it."""
    made = Endpoint.objects.create(
        company=alpha.company,
        device=alpha.device,
        url="https://127.0.0.1/alphaville",
        events=["device.state"],
        description="Alphaville",
        secret=new_secret(),
    )
    Device.objects.filter(pk=alpha.device.pk).update(state_reason="Alphaville")
    record("device.state", alpha.device.pk, {})
    return made


def _declare(company: Any) -> ImportLine:
    """A line that customs declared for the company."""
    return ImportLine.objects.create(
        company=company,
        branch=company.branches.get(code="00"),
        task_code="2026ALPHAVILLE",
        declared_on="03092026",
        sequence=1,
        hs_code="8516100000",
        name="Alphaville kettles",
        quantity=10,
        quantity_unit="NO",
        created_at=timezone.now(),
        updated_at=timezone.now(),
    )


def _sell(alpha: Any, reference: str) -> Invoice:
    buyer = {"pin": "A123456789Z", "name": "Alphaville Buyer", "phone": "0712345678"}
    more = {"customer": buyer, "remark": "Alphaville", "lines": LINE}
    sold: Invoice = alpha.sell(reference, **more)
    return sold


def _offer(alpha: Any) -> Purchase:
    """A supplier's invoice, matched by a person."""
    figures = {"taxable": "5000.00", "tax": "800.00", "total": "5800.00"}
    offered = Purchase.objects.create(
        company=alpha.company,
        branch=alpha.device.branch,
        supplier_pin="P000000000S",
        supplier_name="Alphaville Wholesale",
        number=77,
        state="matched",
        invoiced_on="2026-11-20",
        updated_at=timezone.now(),
        **figures,
    )
    item = Item.objects.get(company=alpha.company, sku="A-ONLY")
    PurchaseLine.objects.create(
        purchase=offered, sequence=1, supplier_code="ALPHAVILLE", quantity="5.00", letter="B",
        unit_price="1160.00", discount_percent=0, discount=0, item=item, match_source="person",
        **figures,
    )  # fmt: skip
    return offered
