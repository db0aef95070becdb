import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.utils import timezone

from companies.models import ApiToken, Branch, Company, Member
from core.crypto import EncryptedTextField
from devices.models import Call, Device, SigningKey
from devices.services import generate_keys
from items.models import Item, Notice, StockLevel, TaxRate
from monitoring.models import Heartbeat
from outbox.models import Breaker, Lane, Transmission
from purchases.models import Purchase, PurchaseLine, RememberedMatch, SyncMark
from sales.models import (
    BranchUser,
    Customer,
    Difference,
    Insurance,
    Invoice,
    InvoiceLine,
    PinRecord,
    Receipt,
    ReconciledDay,
    Reconciliation,
)
from sales.registers.services import save_record

pytestmark = pytest.mark.django_db
SHOWN = [
    *(Company, Branch, Member, ApiToken, Device, SigningKey, Call),
    *(Lane, Transmission, Breaker, Invoice, Receipt),
    *(Purchase, RememberedMatch, SyncMark),
    *(Reconciliation, Difference),
    *(TaxRate, Notice, StockLevel),
    *(Customer, BranchUser, Insurance, PinRecord),
]


@pytest.fixture
def operator(django_user_model):
    # Without a password: hashing one takes longer than a test.
    return django_user_model.objects.create(username="op", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def everything(alpha, operator, sell, make_call, owe):
    """One row at least of every model that has a page, with every secret filled in."""
    now = timezone.now()
    Member.objects.create(company=alpha.company, user=operator, role="owner")
    generate_keys(alpha.device)
    make_call(alpha, outcome="rejected", code="910", reason="qty", answer='{"resultCd":"910"}')
    make_call(alpha, outcome="", code="", answer="<html>")
    invoice = sell(alpha)
    add_line(invoice)
    sell(alpha, "refused")
    buyer = {"pin": "P000000000B", "name": "Alpha Hotel"}
    save_record(Customer, alpha.device, "C-1", buyer)
    save_record(BranchUser, alpha.device, "asha", {"name": "Asha", "password": "never-shown"})
    save_record(Insurance, alpha.device, "I-1", {"name": "Alpha Insurance", "rate": 20})
    PinRecord.objects.create(environment="simulator", asked_at=now, **buyer)
    owe(alpha.lane, "unknown", error_code="read_timeout", attempts=1)
    Breaker.objects.create(
        host="sandbox/direct", is_open=True, opened_at=now, failures=5, last_error="http_503: down"
    )
    add_purchase(alpha)
    add_difference(invoice)
    add_lists()
    StockLevel.objects.create(branch=invoice.branch, item=Item.objects.get(), level=-2)
    return alpha


def add_purchase(tenant):
    figures = {"taxable": "5000.00", "tax": "800.00", "total": "5800.00"}
    item = Item.objects.get(company=tenant.company)
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


def secrets_of(tenant):
    stored = [
        SigningKey.objects.get().private_key,
        *ApiToken.objects.values_list("hash", flat=True),
    ]
    return ["never-shown", tenant.secret, *stored]


def list_of(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def paths_of(model):
    rows = [quote(pk) for pk in model.objects.values_list("pk", flat=True)]
    return [list_of(model), *(f"{list_of(model)}{pk}/change/" for pk in rows)]


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_its_pages_show_no_secret(staff, everything, model):
    secrets = secrets_of(everything)

    pages = [staff.get(path) for path in paths_of(model)]

    assert len(pages) > 1
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_its_pages_do_not_read_secrets(staff, everything, django_assert_max_num_queries, model):
    paths = paths_of(model)

    with django_assert_max_num_queries(60) as queries:
        for path in paths:
            staff.get(path)

    read = " ".join(query["sql"].partition(" FROM ")[0] for query in queries.captured_queries)
    secrets = ("consumer_", '"init_answer"', '"private_key"', '"hash"', 'branchuser"."password"')
    for column in secrets:
        assert column not in read


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_nothing_is_changed_there(staff, everything, model):
    before = model.objects.count()
    path = quote(model.objects.first().pk)

    assert staff.get(f"{list_of(model)}add/").status_code == 403
    assert staff.post(f"{list_of(model)}{path}/change/", {}).status_code == 403
    assert staff.post(f"{list_of(model)}{path}/delete/", {"post": "yes"}).status_code == 403
    assert model.objects.count() == before


def test_every_page_lists_its_fields():
    ours = {model: page for model, page in admin.site._registry.items() if model in SHOWN}

    assert set(ours) == set(SHOWN)
    assert Heartbeat not in admin.site._registry
    for model, page in ours.items():
        assert page.fields, model
        encrypted = {f.name for f in model._meta.fields if isinstance(f, EncryptedTextField)}
        assert not encrypted & {*page.fields, *page.list_display}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Call, ["910", "Correct the named value", "rejected", "open"]),
        (Lane, ["unknown", "kra_down", "goes on when KRA answers"]),
        (Transmission, ["read_timeout", "KRA for the document", "refused"]),
        (Breaker, ["sandbox/direct", "http_503", "Nothing to do"]),
        (Device, ["alpha-1", "active"]),
        (Invoice, ["signed", "refused", "1160.00"]),
        (Reconciliation, ["differs", "run__id__exact", "every night"]),
        (Difference, ["missing_at_kra", "Never send the sale again"]),
        (TaxRate, ["KRA changed B from 16.00 % to 18.00 %"]),
        (Notice, ["&lt;b&gt;Maintenance"]),
        (StockLevel, ["-2.00", "More was sold than booked in"]),
        (Company, ["A000000001A", "verifies the PIN"]),
        (Customer, ["Alpha Hotel", "queued"]),
        (PinRecord, ["P000000000B", "Alpha Hotel"]),
    ],
)
def test_its_lists_tell_state_cause_and_next_step(staff, everything, model, words):
    text = staff.get(list_of(model)).content.decode()

    assert [word for word in words if word not in text] == []


def test_an_invoice_shows_its_lines_and_its_receipt(staff, everything):
    invoice = Invoice.objects.get(lines__name="Electric kettle")

    text = staff.get(f"{list_of(Invoice)}{invoice.pk}/change/").content.decode()

    assert "Electric kettle" in text
    assert "SIGNATURE" in text


@pytest.mark.parametrize(("outcome", "count"), [("open", 1), ("rejected", 1), ("accepted", 0)])
def test_calls_are_filtered_by_outcome(staff, everything, outcome, count):
    response = staff.get(list_of(Call), {"outcome": outcome})

    assert response.context["cl"].result_count == count


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_every_list_can_be_searched(staff, everything, model):
    assert staff.get(list_of(model), {"q": "alpha"}).status_code == 200


def approve(client, *rates):
    data = {"action": "approve", "_selected_action": [rate.pk for rate in rates]}
    return client.post(list_of(TaxRate), data, follow=True)


def test_a_changed_rate_waits_for_a_yes(staff, everything):
    held = TaxRate.objects.held().get()

    page = approve(staff, held)
    again = approve(staff, held)

    held.refresh_from_db()
    assert held.approved
    assert "B: 18.00 % instead of 16.00 % from 2026-12-01" in page.content.decode()
    assert "None of these waits" in again.content.decode()
    assert LogEntry.objects.get().user.username == "op"


def test_who_may_only_look_approves_nothing(client, everything, django_user_model):
    person = django_user_model.objects.create(username="clerk", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="change_taxrate"))
    Member.objects.create(company=everything.company, user=person, role="owner")
    client.force_login(person)

    page = approve(client, TaxRate.objects.held().get())

    assert page.status_code == 200
    assert TaxRate.objects.held().exists()
