import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from companies.models import ApiToken, Branding, Company, Member
from core.crypto import EncryptedTextField
from devices.models import Call, Device, SigningKey
from items.models import Notice, StockLevel, TaxRate
from monitoring.admin.read_only import ReadOnlyAdmin
from outbox.models import Breaker, Lane, Transmission
from sales.models import (
    Customer,
    Difference,
    Invoice,
    PinRecord,
    Reconciliation,
)

from .furniture import add_shared, furnish

pytestmark = pytest.mark.django_db
# Every model with a read-only page of ours.
SHOWN = sorted(
    (model for model, page in admin.site._registry.items() if isinstance(page, ReadOnlyAdmin)),
    key=lambda model: model._meta.label,
)


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
    Member.objects.create(company=alpha.company, user=operator, role="owner")
    add_shared()
    furnish(alpha, operator, (sell, make_call, owe))
    return alpha


SECRET_COLUMNS = (
    "consumer_", '"init_answer"', '"private_key"', 'branchuser"."password"', 'apitoken"."hash"',
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
def test_its_pages_neither_show_nor_read_a_secret(
    staff, everything, django_assert_max_num_queries, model
):
    secrets, paths = secrets_of(everything), paths_of(model)

    with django_assert_max_num_queries(60) as queries:
        pages = [staff.get(path) for path in paths]

    assert len(pages) > 1
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        assert [secret for secret in secrets if secret in text] == []
    read = " ".join(query["sql"].partition(" FROM ")[0] for query in queries.captured_queries)
    for column in SECRET_COLUMNS:
        assert column not in read


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_everything_is_searched_and_nothing_changed_there(staff, everything, model):
    before = model.objects.count()
    path = quote(model.objects.first().pk)

    assert staff.get(list_of(model), {"q": "alpha"}).status_code == 200
    assert staff.get(f"{list_of(model)}add/").status_code == 403
    assert staff.post(f"{list_of(model)}{path}/change/", {}).status_code == 403
    assert staff.post(f"{list_of(model)}{path}/delete/", {"post": "yes"}).status_code == 403
    assert model.objects.count() == before


def test_every_page_lists_its_fields():
    assert set(admin.site._registry) - set(SHOWN) == {get_user_model(), Branding}
    for model in SHOWN:
        page = admin.site._registry[model]
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
