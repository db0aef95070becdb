"""The pages on which people act: reason, both sides, inbox; over the admin's own addresses."""

import re
from datetime import UTC, datetime

import msgspec
import pytest

from companies.models import Member
from devices.models import Call
from items.models import Item
from monitoring.acts.comparing import Compared
from monitoring.models import ActionRequest, AuditEvent
from outbox.models import Transmission
from sales.models import Invoice

from .furniture import add_line

pytestmark = pytest.mark.django_db
HELD = {"resultCd": "000", "resultMsg": "ok", "resultDt": "20261122101500"}


@pytest.fixture
def enter(client, django_user_model, alpha):
    """Come in as a person with a role."""

    def enter(name, role="owner"):
        user, is_new = django_user_model.objects.get_or_create(username=name, is_staff=True)
        if is_new:
            Member.objects.create(company=alpha.company, user=user, role=role)
        client.force_login(user)
        return client

    return enter


def key_on(page):
    return re.findall(r'name="key" value="([^"]+)"', page.content.decode())[0]


def submit(client, address, **data):
    page = client.get(address)
    assert page.status_code == 200
    return client.post(address, {"key": key_on(page)} | data)


def test_an_invoice_says_what_is_wrong_in_both_languages(enter, alpha, sell):
    sale = sell(alpha, "refused")
    Transmission.objects.update(error_code="910", error_message="custTin is too long")

    text = enter("asha").get(f"/admin/sales/invoice/{sale.pk}/change/").content.decode()

    for words in ("910", "Wrong or missing value", "custTin is too long", "Next step:",
                  "Hatua inayofuata:", "act/correct/", "act/void/"):  # fmt: skip
        assert words in text
    assert "POST /api" not in text.partition("What people did")[0].partition("<form")[0]


def test_the_first_page_says_what_is_going_on(enter, alpha, sell):
    sell(alpha, "queued")

    page = enter("asha").get("/admin/").content.decode()

    assert "<strong>1</strong> sale and 0 stock messages wait for KRA" in page
    assert 'href="/dashboard/"' in page


def test_a_device_says_what_is_wrong(enter, alpha, make_call):
    make_call(alpha, outcome="device_refused", code="902", reason="not approved")
    type(alpha.device).objects.update(state="refused", state_reason="902: not approved")

    text = enter("asha").get(f"/admin/devices/device/{alpha.device.pk}/change/").content.decode()

    assert "902" in text
    assert "Hatua inayofuata:" in text
    assert "act/resume/" in text


def test_a_person_voids_with_a_reason(enter, alpha, sell):
    sale = sell(alpha, "refused")
    address = f"/admin/sales/invoice/{sale.pk}/act/void/"
    client = enter("asha")

    refused = submit(client, address, reason="")
    done = submit(client, address, reason="sold twice")

    assert refused.status_code == 400
    assert "A reason is needed" in refused.content.decode()
    assert done.status_code == 302
    sale.refresh_from_db()
    assert (sale.state, sale.state_reason) == ("voided", "sold twice")
    text = client.get(f"/admin/sales/invoice/{sale.pk}/change/").content.decode()
    assert "What people did" in text
    assert "sold twice" in text
    assert client.get(address).status_code == 302


def test_the_same_page_sent_twice_acts_once(enter, alpha):
    client, address = enter("asha"), f"/admin/devices/device/{alpha.device.pk}/act/rotate_keys/"
    form = {"key": key_on(client.get(address)), "reason": "yearly"}

    answers = [client.post(address, form).status_code for _ in range(2)]

    assert answers == [302, 409]
    assert alpha.device.signing_keys.count() == 1


def test_a_correction_starts_from_what_was_sold(enter, alpha, sell):
    sale = sell(alpha, "refused")
    add_line(sale)
    Item.objects.update(registered_at=sale.created_at, code="KE2NTNO0000001")
    client, address = enter("asha"), f"/admin/sales/invoice/{sale.pk}/act/correct/"
    content = msgspec.json.decode(
        re.findall(r"<textarea id=\"value\"[^>]*>(.*?)</textarea>",
                  client.get(address).content.decode(), re.DOTALL)[0].replace("&quot;", '"')
    )  # fmt: skip

    assert content["lines"][0]["item"] == "SKU-1"
    bad = submit(client, address, reason="typo", value='{"lines": []}')
    worse = submit(client, address, reason="typo", value="{")
    done = submit(client, address, reason="typo", value=msgspec.json.encode(content).decode())

    assert (bad.status_code, worse.status_code) == (400, 400)
    assert "lines" in bad.content.decode()
    assert done.status_code == 302, done.content.decode()[:3000]
    made = Invoice.objects.get(is_current=True)
    assert (made.reference, made.version) == (sale.reference, 2)


def test_two_people_set_a_counter(enter, alpha):
    address = f"/admin/outbox/lane/{alpha.lane.pk}/act/resync/"
    page = enter("asha").get(address)
    assert "needs a second person" in page.content.decode()

    asked = submit(enter("asha"), address, reason="backup restored", value="12")
    again = submit(enter("asha"), address, reason="backup restored", value="12")
    number = submit(enter("asha"), address, reason="backup restored", value="-1")

    assert (asked.status_code, again.status_code, number.status_code) == (302, 409, 400)
    request = ActionRequest.objects.get()
    decide = f"/admin/monitoring/actionrequest/{request.pk}/decide/"
    assert enter("asha").post(decide, {"decision": "approve"}).status_code == 409
    inbox = enter("ben").get("/admin/monitoring/actionrequest/?state=waiting").content.decode()
    assert f"{request.pk}/decide/" in inbox
    assert "waiting for your decision" in enter("ben").get("/admin/").content.decode()
    # Who asked finds no button that could not work; who may decide does.
    assert 'value="approve"' not in enter("asha").get(decide).content.decode()
    assert "somebody else to decide" in enter("asha").get(decide).content.decode()
    page = enter("ben").get(decide).content.decode()
    assert "12" in page
    assert 'value="approve"' in page
    # KRA cannot be asked here: it fails, says so, and changes nothing.
    failed = enter("ben").post(decide, {"decision": "approve"})
    assert failed.status_code == 409
    assert 'value="approve"' not in failed.content.decode()
    assert "State: failed." in failed.content.decode()
    request.refresh_from_db()
    alpha.lane.refresh_from_db()
    assert (request.state, alpha.lane.last_number) == ("failed", 0)
    stages = [event.stage for event in AuditEvent.objects.order_by("pk")]
    assert stages == ["requested", "approved", "refused"]


def test_a_rejection_needs_words(enter, alpha):
    submit(enter("asha"), f"/admin/outbox/lane/{alpha.lane.pk}/act/resync/",
           reason="restored", value="1")  # fmt: skip
    request = ActionRequest.objects.get()
    decide = f"/admin/monitoring/actionrequest/{request.pk}/decide/"

    assert enter("ben").post(decide, {"decision": "reject", "reason": ""}).status_code == 400
    assert enter("ben").post(decide, {"decision": "reject", "reason": "why?"}).status_code == 302
    request.refresh_from_db()
    assert request.state == "rejected"


def test_many_are_tried_again_each_by_itself(enter, alpha, sell):
    waiting, refused = sell(alpha, "queued"), sell(alpha, "refused")
    form = {"action": "retry_selected", "_selected_action": [waiting.pk, refused.pk]}

    page = enter("asha").post("/admin/sales/invoice/", form, follow=True).content.decode()
    as_auditor = enter("dan", "auditor").post("/admin/sales/invoice/", form, follow=True)

    assert "1 are due now" in page
    assert "nothing to retry" in page
    assert "are due now" not in as_auditor.content.decode()
    assert AuditEvent.objects.filter(stage="done").count() == 1


def test_both_sides_are_told_in_nairobis_time():
    at = datetime(2026, 11, 23, 7, 37, 56, tzinfo=UTC)

    assert Compared.of("time", at, at).ours == "23/11/2026 10:37:56"


def test_a_conflict_shows_both_sides(enter, alpha, sell):
    sale = sell(alpha, "conflict")
    row = sale.transmission
    held = {
        "rcptTyCd": "S", "custTin": "", "custNm": "Somebody", "totAmt": 4000, "totTaxAmt": 160,
        "totTaxblAmt": 3448.28, "orgInvcNo": 0, "salesDt": "20261122", "itemList": [],
        "invcNo": row.number,
    }  # fmt: skip
    answer = msgspec.json.encode(HELD | {"data": {"salesList": [held]}}).decode()
    Call.objects.create(
        company=alpha.company, device=alpha.device, endpoint="invoice_details", request="{}",
        transmission=row.pk, number=row.number, started_at=row.created_at, http_status=200,
        outcome="accepted", code="000", answer=answer,
    )  # fmt: skip
    Transmission.objects.update(error_code="conflict", error_message="another document")

    text = enter("asha").get(f"/admin/sales/invoice/{sale.pk}/change/").content.decode()

    assert "KRA holds another document" in text
    assert "Both sides" in text
    assert "4,000.00" in text
    assert f"/admin/outbox/lane/{row.lane_id}/change/" in text
    rows = re.findall(r"<tr( class=\"etims-differs\")?>\s*<th scope=\"row\">([^<]+)", text)
    differing = {name for is_marked, name in rows if is_marked}
    # KRA writes 160 for our 160.00: that is no difference.
    assert {"total", "buyer"} <= differing
    assert not {"tax", "number", "type", "original"} & differing
