"""KRA slow, down, lying or silent: each sale is at KRA exactly once, under the right number."""

import contextlib

import pytest

from devices.models import Call, Device
from outbox.models import Status, Transmission
from sales.models import Invoice, Receipt

pytestmark = pytest.mark.django_db(transaction=True)

NOT_STORED = [
    ("refused connection", "refuse", {}),
    ("gateway page", "html", {"status": 502}),
    ("gateway timeout", "html", {"status": 504}),
    ("empty body", "empty_body", {}),
    ("one 401", "unauthorized", {}),
    ("999 once", "result_code", {"code": "999"}),
    ("991 once", "result_code", {"code": "991"}),
    ("990 once", "result_code", {"code": "990"}),
    ("a code nobody knows", "result_code", {"code": "777"}),
    ("answer lost before storing", "lost_before", {"hold_s": 0.1}),
]
STORED = [
    ("answer lost after storing", "lost_after", {}),
    ("reset in the answer", "reset", {}),
    ("gateway page after storing", "html", {"status": 504, "stored": True}),
    ("empty body after storing", "empty_body", {"stored": True}),
    ("999 after storing", "result_code", {"code": "999", "stored": True}),
]


def assert_each_once(shop, *references):
    held = [(h["number"], h["reference"]) for h in shop.ledger()]
    assert held == list(enumerate(references, start=1))
    ours = Receipt.objects.order_by("number").values_list("number", "invoice__reference")
    assert list(ours) == held
    assert shop.lane.last_number == len(references)


@pytest.mark.parametrize(("_case", "fault", "options"), NOT_STORED + STORED)
def test_it_brings_the_sale_home_exactly_once(shop, _case, fault, options):
    shop.simulator.fault(fault, **options)
    shop.sell("T-1")
    shop.sell("T-2")

    shop.deliver()

    assert_each_once(shop, "T-1", "T-2")


@pytest.mark.parametrize(("_case", "fault", "options"), STORED)
def test_it_adopts_what_kra_holds_and_sends_nothing_twice(shop, _case, fault, options):
    shop.simulator.fault(fault, **options)
    sale = shop.sell("T-1")

    shop.deliver()

    calls = Call.objects.filter(transmission=sale.transmission_id).order_by("id")
    assert [c.endpoint for c in calls] == ["sales_save", "invoice_details"]
    assert Receipt.objects.get(invoice=sale).signature == shop.ledger()[0]["signature"]


def test_it_sends_the_same_bytes_under_the_same_number_again(shop):
    shop.simulator.fault("lost_before", count=2, hold_s=0.1)
    sale = shop.sell("T-1")

    shop.deliver()

    calls = Call.objects.filter(transmission=sale.transmission_id, endpoint="sales_save")
    assert len(calls) == 3
    assert len({c.request for c in calls}) == 1
    assert {c.number for c in calls} == {1}


@pytest.mark.parametrize("fault", ["string_numbers", "spaced_keys"])
def test_it_reads_answers_as_kra_writes_them(shop, fault):
    shop.simulator.fault(fault)
    sale = shop.sell("T-1")

    shop.deliver()

    assert shop.status(sale) == "signed"
    assert Receipt.objects.get(invoice=sale).receipt_number == 1


def test_a_refusal_gives_its_number_to_the_next_sale(shop):
    shop.simulator.fault("result_code", code="910", after=1)
    sales = [shop.sell(f"T-{n}") for n in (1, 2, 3)]

    shop.deliver()

    assert [shop.status(s) for s in sales] == ["signed", "refused", "signed"]
    assert_each_once(shop, "T-1", "T-3")


def test_a_refused_sale_is_corrected_under_its_reference(shop):
    shop.simulator.fault("result_code", code="910")
    sale = shop.sell("T-1")
    shop.deliver()

    body = shop.sale("", remark="corrected")
    del body["reference"]
    response = shop.post(f"/api/invoices/{sale.pk}/correct/", body, Prefer="wait=10")

    assert response.status_code == 201, response.content
    assert (response.json()["version"], response.json()["status"]) == (2, "signed")
    assert shop.status(sale) == "superseded"
    assert_each_once(shop, "T-1")


def test_a_refused_sale_is_voided_with_a_reason(shop):
    shop.simulator.fault("result_code", code="910")
    sale = shop.sell("T-1")
    shop.deliver()

    response = shop.post(f"/api/invoices/{sale.pk}/void/", {"reason": "typed twice"})

    assert response.json()["status"] == "voided"
    assert shop.post(f"/api/invoices/{sale.pk}/void/", {"reason": "again"}).status_code == 409


def test_another_document_under_our_number_is_a_conflict(shop):
    shop.simulator.fault("lost_after")
    shop.simulator.fault("wrong_content", endpoint="invoice_details", count=None)
    sale, behind = shop.sell("T-1"), shop.sell("T-2")

    shop.deliver()

    assert [shop.status(sale), shop.status(behind)] == ["conflict", "queued"]
    assert not Receipt.objects.exists()
    detail = shop.get(f"/api/invoices/{behind.pk}/").json()
    assert detail["blocked_by"] == "T-1"


def test_a_verdict_repeated_for_ever_is_handed_to_a_person(shop):
    shop.simulator.fault("result_code", code="999", count=4)
    sale, behind = shop.sell("T-1"), shop.sell("T-2")

    shop.deliver()

    assert [shop.status(sale), shop.status(behind)] == ["refused", "signed"]
    assert_each_once(shop, "T-2")


def test_a_device_that_kra_refuses_stops_and_says_so(shop):
    shop.simulator.fault("result_code", code="901")
    sale = shop.sell("T-1")

    shop.deliver()

    shop.device.refresh_from_db()
    assert shop.device.state == Device.State.REFUSED
    assert shop.status(sale) == "queued"
    resumed = shop.post(f"/api/device/{shop.device.serial}/resume/", {"reason": "KRA mended it"})
    assert resumed.status_code == 200
    shop.deliver()
    assert_each_once(shop, "T-1")


def test_it_works_through_the_gateway_profile(open_shop):
    shop = open_shop(profile="gavaconnect")
    shop.simulator.fault("lost_after")
    sale = shop.sell("T-1")
    response = shop.post("/api/sales/", shop.sale("T-2"), Prefer="wait=10")

    assert response.status_code == 201, response.content
    assert shop.status(sale) == "signed"
    assert_each_once(shop, "T-1", "T-2")


def test_kra_down_for_long_delays_and_loses_nothing(shop, settings):
    settings.OUTBOX_BREAKER_COOLDOWN = 0.0
    settings.OUTBOX_RAMP_LANES_PER_SECOND = 1000
    shop.simulator.outage(True)
    references = [f"T-{n}" for n in range(20)]
    for reference in references[:10]:
        shop.sell(reference)
    for _ in range(8):
        with contextlib.suppress(AssertionError):
            shop.deliver()
    answer = shop.post("/api/sales/", shop.sale(references[10]), Prefer="wait=20")
    assert answer.status_code == 202
    for reference in references[11:]:
        shop.sell(reference)
    assert Transmission.objects.filter(kind="sale", status=Status.ACCEPTED).count() == 0

    shop.simulator.outage(False)
    from outbox.tasks import probe

    probe()
    shop.deliver()

    assert_each_once(shop, *references)
    assert Invoice.objects.count() == 20


def test_a_message_that_cannot_be_built_does_not_hold_up_its_lane(shop):
    broken, behind = shop.sell("T-1"), shop.sell("T-2")
    Transmission.objects.filter(pk=broken.transmission_id).update(content=b"{}")

    shop.deliver()

    assert [shop.status(broken), shop.status(behind)] == ["refused", "signed"]
    assert_each_once(shop, "T-2")
    trouble = shop.get(f"/api/invoices/{broken.pk}/").json()["trouble"]
    assert (trouble["code"], "cannot be built" in trouble["message"]) == ("cannot_build", True)


def test_a_stock_message_answered_the_same_for_ever_is_handed_to_a_person(shop):
    shop.simulator.fault("result_code", endpoint="stock_io_save", code="999", count=None)
    sale = shop.sell("T-1")

    shop.deliver()

    movement = Transmission.objects.get(kind="stock_movement", reference="T-1")
    assert (movement.status, movement.attempts) == (Status.CONFLICT, 4)
    assert shop.status(sale) == "signed"
