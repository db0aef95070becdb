"""One row at least of every model that has a page in the admin, with every secret filled in."""

import time
from datetime import date

from axes.models import AccessAttempt
from django.utils import timezone

from companies.models import Branding
from devices.services import generate_keys
from items.models import (
    Classification,
    Code,
    ImportCursor,
    ImportLine,
    ImportMatch,
    Item,
    ItemComponent,
    ItemCounter,
    ItemDefault,
    Notice,
    StockLevel,
    StockMovement,
    SyncState,
    TaxRate,
)
from monitoring.acts.audit import Actor, Subject, record
from monitoring.heartbeats import note
from monitoring.journal import checkpoints, follower
from monitoring.models import ActionRequest, Alert, Endpoint, PruneMark
from monitoring.retention.holds import place
from monitoring.tasks import heartbeat as worker_runs
from monitoring.webhooks.recording import record as record_event
from monitoring.webhooks.sending import new_secret
from outbox.models import Breaker
from purchases.models import Purchase, PurchaseLine, RememberedMatch, SyncMark
from sales.models import (
    BranchUser,
    Customer,
    Difference,
    Insurance,
    InvoiceLine,
    PinRecord,
    ReceiptEmail,
    ReconciledDay,
    Reconciliation,
)
from sales.receipts.printing import note_page_view
from sales.registers.services import save_record
from sales.reports.closing import close_day

BUYER = {"pin": "P000000000B", "name": "Alpha Hotel"}


def furnish(tenant, user, make):
    """`make` holds the functions that make sales, calls and debts."""
    sell, make_call, owe = make
    generate_keys(tenant.device)
    make_call(tenant, outcome="rejected", code="910", reason="qty", answer='{"resultCd":"910"}')
    make_call(tenant, outcome="", code="", answer="<html>")
    invoice = sell(tenant)
    add_line(invoice)
    sell(tenant, "refused")
    save_record(Customer, tenant.device, "C-1", BUYER)
    save_record(BranchUser, tenant.device, "asha", {"name": "Asha", "password": "never-shown"})
    save_record(Insurance, tenant.device, "I-1", {"name": "Alpha Insurance", "rate": 20})
    owe(tenant.lane, "unknown", error_code="read_timeout", attempts=1)
    add_purchase(tenant)
    add_difference(invoice)
    item = Item.objects.get(company=tenant.company)
    StockLevel.objects.create(branch=invoice.branch, item=item, level=-2)
    add_goods(tenant, item, owe)
    add_traces(tenant, user)
    add_papers(invoice)
    add_evidence(tenant, invoice)
    return invoice


def add_shared():
    now = timezone.now()
    PinRecord.objects.create(environment="simulator", asked_at=now, **BUYER)
    Breaker.objects.create(
        host="sandbox/direct", is_open=True, opened_at=now, failures=5, last_error="http_503: down"
    )
    Code.objects.create(environment="sandbox", class_id="04", code="B", changed_at=now)
    Classification.objects.create(environment="sandbox", code="5059690800")
    SyncState.objects.create(environment="sandbox", name="code_list", synced_at=now)
    AccessAttempt.objects.create(username="guess", ip_address="192.0.2.1", failures_since_start=3)
    add_lists()


def add_goods(tenant, item, owe):
    now = timezone.now()
    branch, company = tenant.branch, tenant.company
    owned = {"company": company, "branch": branch}
    other = Item.objects.create(
        company=company, sku="SKU-2", name="Lid", classification="5059690800", tax_letter="B",
        price=1, created_at=now, updated_at=now,
    )  # fmt: skip
    StockMovement.objects.create(
        device=tenant.device, type="06", reference="IN-1", occurred_at=now, **owned
    )
    ImportCursor.objects.create(branch=branch, error_code="read_timeout")
    ImportLine.objects.create(
        task_code="T1", declared_on="03092026", sequence=1, hs_code="851610", created_at=now,
        updated_at=now, **owned,
    )  # fmt: skip
    ImportMatch.objects.create(
        company=company, digest="d", hs_code="851610", item=item, updated_at=now
    )
    ItemCounter.objects.update_or_create(company=company, defaults={"last_number": 1})
    ItemDefault.objects.create(company=company, category="Kitchen", updated_at=now)
    ItemComponent.objects.create(
        company=company, parent=item, component=other, quantity=1, updated_at=now,
        transmission=owe(tenant.lane, "refused", kind="item_composition", error_code="910"),
    )  # fmt: skip


def add_traces(tenant, user):
    now = timezone.now()
    subject = Subject.of(tenant.device, tenant.company.pk)
    record("suspend", "done", subject, Actor.person(user), reason="stolen")
    ActionRequest.objects.create(
        company=tenant.company, act="resync", model="outbox.Lane", object_id=tenant.lane.pk,
        object_text=str(tenant.lane), values={"last_number": 7}, reason="restored",
        requested_by=user, expires_at=now.replace(year=now.year + 1),
    )  # fmt: skip


def add_papers(invoice):
    note_page_view(invoice)
    ReceiptEmail.objects.create(
        company=invoice.company, invoice=invoice, address="buyer@alpha.test",
        not_before=timezone.now(), created_at=timezone.now(),
    )  # fmt: skip
    Branding.objects.create(company=invoice.company, header=["Karibu"])
    close_day(invoice.device, day=date(2020, 1, 1), by="op")


def add_evidence(tenant, invoice):
    now = timezone.now()
    follower.follow(until=time.monotonic() + 20)
    checkpoints.daily()
    Alert.objects.create(
        rule="disk", subject=f"device:{tenant.device.pk}", severity="warning", title="Full",
        company=tenant.company,
        **dict.fromkeys(("since", "opened_at", "seen_at"), now),
    )  # fmt: skip
    Endpoint.objects.create(
        company=tenant.company, url="https://pos.test/", events=["sale.signed"],
        secret=new_secret(), created_at=now,
    )  # fmt: skip
    record_event("sale.signed", invoice.transmission_id, {})
    place(tenant.company, tenant.device, reason="An audit", by="op")
    PruneMark.objects.create(device=tenant.device, what="bodies")


def add_purchase(tenant):
    figures = {"taxable": "5000.00", "tax": "800.00", "total": "5800.00"}
    item = Item.objects.get(company=tenant.company, sku="SKU-1")
    offered = Purchase.objects.create(
        company=tenant.company, branch=tenant.branch, supplier_pin="P000000000S", number=77,
        invoiced_on="2026-11-20", updated_at=timezone.now(), **figures,
    )  # fmt: skip
    PurchaseLine.objects.create(
        purchase=offered, sequence=1, name="Kettle base unit", quantity=5, letter="B", item=item,
        unit_price="1160.00", discount_percent=0, discount=0, **figures,
    )  # fmt: skip
    RememberedMatch.objects.create(
        company=tenant.company, supplier_pin="P000000000S", key="code:KE2CTNO0000009", item=item
    )
    SyncMark.objects.create(branch=tenant.branch, synced_at=timezone.now())


def add_difference(invoice):
    now, day = timezone.now(), invoice.sold_at.date()
    owned = {"company": invoice.company, "device": invoice.device}
    run = Reconciliation.objects.create(
        first_day=day, last_day=day, stage="done", verdict="differs", finished_at=now,
        not_before=now, requested_by="every night", **owned,
    )  # fmt: skip
    ReconciledDay.objects.create(run=run, day=day, our_sales=1, **owned)
    Difference.objects.create(
        run=run, day=day, number=7, kind="missing_at_kra", state="open", invoice=invoice,
        our_total="1160.00", **owned,
    )  # fmt: skip


def add_lists():
    facts = {"environment": "sandbox", "letter": "B"}
    TaxRate.objects.create(rate=16, valid_from="2018-01-01", approved=True, **facts)
    TaxRate.objects.create(rate=18, valid_from="2026-12-01", **facts)
    Notice.objects.create(
        environment="sandbox", number=30, title="<b>Maintenance</b>", changed_at=timezone.now()
    )


def add_line(invoice):
    now = timezone.now()
    item = Item.objects.create(
        company=invoice.company, sku="SKU-1", name="Kettle", classification="5059690800",
        tax_letter="B", price="1160.00", created_at=now, updated_at=now,
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=invoice, sequence=1, item=item, name="Electric kettle", quantity=1, rate=16,
        unit_price="1160.00", supply="1160.00", discount=0, letter="B", taxable="1000.00",
        tax="160.00", total="1160.00",
    )  # fmt: skip


def heartbeat():
    """All that runs has proved that it lives."""
    note("beat")
    worker_runs()
