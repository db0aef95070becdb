"""Two people, one admin, and KRA: adopting what KRA holds, over real HTTP to the simulator."""

import time

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from companies.models import Member
from devices.models import Call
from monitoring.models import ActionRequest, AuditEvent
from outbox.delivery import drain
from sales.models import Difference

pytestmark = pytest.mark.django_db(transaction=True)


def person(shop, name):
    user = get_user_model().objects.create(username=name, is_staff=True)
    Member.objects.create(company=shop.company, user=user, role="owner")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lost(shop):
    """KRA holds T-2 and its answer was lost; the comparison of the day has found it."""
    shop.sell("T-1")
    shop.deliver()
    shop.simulator.fault("lost_after")
    shop.simulator.fault("html", endpoint="invoice_details", status=504)
    sale = shop.sell("T-2")
    drain(shop.lane.pk, until=time.monotonic() + 0.01)
    shop.simulator.heal()
    day = f"{sale.sold_at:%Y-%m-%d}"
    body = {"device": shop.device.serial, "from": day}
    assert shop.post("/api/reconciliations/", body).status_code in (201, 202)
    return sale


def test_two_people_adopt_what_kra_holds(shop, lost):
    case = Difference.objects.get(kind="missing_here")
    asha, ben = person(shop, "asha"), person(shop, "ben")
    act = f"/admin/sales/difference/{case.pk}/act/adopt/"
    sends = Call.objects.filter(endpoint="sales_save").count()
    page = asha.get(act).content.decode()
    assert "Both sides" in page
    assert "T-2" in page

    assert asha.post(act, {"reason": "the till saw a timeout"}).status_code == 302
    assert shop.status(lost) == "unknown"
    request = ActionRequest.objects.get()
    decide = f"/admin/monitoring/actionrequest/{request.pk}/decide/"
    assert asha.post(decide, {"decision": "approve"}).status_code == 409
    assert shop.status(lost) == "unknown"
    assert ben.post(decide, {"decision": "approve", "reason": "seen at KRA"}).status_code == 302

    request.refresh_from_db()
    case.refresh_from_db()
    assert (request.state, case.how, case.resolved_by) == ("done", "adopted", "asha and ben")
    assert shop.status(lost) == "signed"
    assert Call.objects.filter(endpoint="sales_save").count() == sends
    told = AuditEvent.objects.filter(model="sales.Difference").order_by("pk")
    assert [(e.stage, e.actor) for e in told] == [
        ("requested", "asha"), ("approved", "ben"), ("done", "ben")
    ]  # fmt: skip
    assert ben.post(decide, {"decision": "approve"}).status_code == 409


def test_another_document_is_not_adopted_by_two_people_either(shop, lost):
    case = Difference.objects.get(kind="missing_here")
    asha, ben = person(shop, "asha"), person(shop, "ben")
    asha.post(f"/admin/sales/difference/{case.pk}/act/adopt/", {"reason": "it looks like ours"})
    order = {"pin": shop.pin, "branch": "00", "number": 2, "set": {"totAmt": 4000}}
    shop.simulator.call("PUT", "invoices", order)
    request = ActionRequest.objects.get()

    answer = ben.post(
        f"/admin/monitoring/actionrequest/{request.pk}/decide/", {"decision": "approve"}
    )

    request.refresh_from_db()
    assert (answer.status_code, request.state) == (409, "failed")
    assert "equals KRA" in request.outcome
    assert shop.status(lost) == "unknown"
