"""A sale is signed by the simulator over real HTTP, and the shop's own system is told."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from devices.services import change_state
from monitoring.models import Delivery, Endpoint, Event
from monitoring.tests.receiver import Receiver
from monitoring.webhooks import delivery

from .test_crash import database_url

pytestmark = pytest.mark.django_db(transaction=True)
ALL = ["sale.signed", "sale.refused", "sale.conflict", "credit_note.signed", "device.state"]


@pytest.fixture(autouse=True)
def here(settings):
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.WEBHOOK_READ_TIMEOUT = 1.0
    settings.WEBHOOK_TOTAL_TIMEOUT = 1.5


@pytest.fixture
def receiver(settings):
    made = Receiver()
    settings.WEBHOOK_PORTS = [made.port]
    yield made
    made.stop()


@pytest.fixture
def hook(shop, receiver):
    def build(**more):
        wish = {"url": receiver.url, "events": ALL} | more
        response = shop.post("/api/webhooks/", wish)
        assert response.status_code == 201, response.content
        return response.json()

    return build


def tell(seconds=20.0):
    return delivery.run(until=time.monotonic() + seconds)


def pass_time():
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.update(next_attempt_at=past)
    Endpoint.objects.update(resume_at=None)


def test_it_tells_of_a_signed_sale(shop, receiver, hook):
    made = hook()
    sold = shop.sell("T-1")
    shop.deliver()

    tell()

    (message,) = receiver.verified(made["secret"])
    assert message["type"] == "sale.signed"
    facts = message["data"]
    assert (facts["id"], facts["reference"], facts["total"]) == (sold.pk, "T-1", "4320.00")
    shown = shop.get(f"/api/invoices/{sold.pk}/").json()
    assert facts["receipt"] == shown["receipt"]
    ((headers, _),) = receiver.requests
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"
    (row,) = shop.get(f"/api/webhooks/{made['id']}/deliveries/").json()["results"]
    assert (row["state"], row["attempts"], row["status"]) == ("delivered", 1, 200)
    assert row["event"] == headers["webhook-id"] == message["id"]


def test_it_tells_nothing_about_the_buyer(shop, receiver, hook):
    hook()
    shop.sell("T-1", customer={"pin": "A987654321B", "name": "Wanjiku", "phone": "0712345678"})
    shop.deliver()

    tell()

    ((_, body),) = receiver.requests
    for word in (b"A987654321B", b"Wanjiku", b"0712345678"):
        assert word not in body


def test_it_tells_of_a_refusal_and_of_a_credit_note(shop, receiver, hook):
    made = hook()
    shop.sell("T-1")
    shop.deliver()
    shop.simulator.fault("result_code", code="910")
    shop.sell("T-2")
    shop.deliver()
    shop.simulator.heal()
    note = {"reference": "N-1", "original": "T-1", "device": shop.device.serial}
    assert shop.post("/api/credit-notes/", note).status_code == 202
    shop.deliver()

    tell()

    told = [(m["type"], m["data"]["reference"]) for m in receiver.verified(made["secret"])]
    wanted = [("sale.signed", "T-1"), ("sale.refused", "T-2"), ("credit_note.signed", "N-1")]
    assert told == wanted
    refused = receiver.verified(made["secret"])[1]["data"]
    assert refused["code"] == "910"
    assert refused["message"]


def test_it_tells_of_a_devices_state(shop, receiver, hook):
    made = hook()

    change_state(shop.device, to="suspended", reason="stocktaking")
    tell()

    (message,) = receiver.verified(made["secret"])
    assert message["type"] == "device.state"
    assert message["data"] == {
        "device": "dvcv1130", "branch": "00", "state": "suspended", "reason": "stocktaking",
    }  # fmt: skip


def test_it_waits_for_a_receiver_that_is_down(shop, receiver, hook):
    made = hook()
    port = receiver.port
    receiver.stop()
    for n in range(3):
        shop.sell(f"T-{n}")
    shop.deliver()

    tell()
    endpoint = Endpoint.objects.get()
    assert endpoint.failures == 1  # one knock, not three
    assert endpoint.resume_at > timezone.now()
    receiver.__init__(port=port)
    Endpoint.objects.update(resume_at=None)
    tell()

    told = {m["data"]["reference"] for m in receiver.verified(made["secret"])}
    assert told == {"T-0", "T-1", "T-2"}
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since) == (0, None)


def test_it_stops_at_410(shop, receiver, hook):
    made = hook()
    receiver.answers = [(410, {}, b"gone")]
    for n in range(3):
        shop.sell(f"T-{n}")
    shop.deliver()

    tell()
    shop.sell("T-9")
    shop.deliver()
    tell()

    assert len(receiver.requests) == 1
    shown = shop.get(f"/api/webhooks/{made['id']}/").json()
    assert shown["state"] == "disabled"
    assert "410" in shown["state_reason"]


def test_a_slow_receiver_holds_up_nobody_else(shop, receiver, hook, settings):
    slow = Receiver()
    slow.delay_s = 1.2
    settings.WEBHOOK_PORTS = [receiver.port, slow.port]
    hook(url=slow.url)
    quick = hook()
    for n in range(5):
        shop.sell(f"T-{n}")
    shop.deliver()

    started = time.monotonic()
    tell()

    assert len(receiver.verified(quick["secret"])) == 5
    assert time.monotonic() - started < 5
    assert Delivery.objects.filter(endpoint=quick["id"], state="delivered").count() == 5
    slow.stop()


@pytest.mark.parametrize("point", ["after_claim", "after_send"])
def test_a_sender_that_was_killed_loses_nothing(shop, receiver, hook, point):
    made = hook()
    shop.sell("T-1")
    shop.deliver()

    victim = subprocess.run(
        [sys.executable, "-m", "tests.webhook_victim", point, str(receiver.port)],
        env=os.environ | {"DATABASE_URL": database_url()},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert victim.returncode == -9, victim.stderr.decode()
    assert Delivery.objects.get().state == "pending"
    delivery.turn(made["id"], until=time.monotonic() + 5)
    assert Delivery.objects.get().attempts == 1  # not before the dead one's time is over
    pass_time()
    delivery.turn(made["id"], until=time.monotonic() + 5)

    messages = receiver.verified(made["secret"])
    assert len({m["id"] for m in messages}) == 1
    assert len(messages) == (1 if point == "after_claim" else 2)
    assert Delivery.objects.get().state == "delivered"


def test_nothing_is_told_of_what_was_rolled_back(shop, monkeypatch):
    from sales import messages

    def fail(*_):
        raise RuntimeError("died in the record")

    shop.sell("T-1")
    monkeypatch.setattr(messages, "move_goods", fail)
    with pytest.raises(RuntimeError):
        shop.deliver()
    assert not Event.objects.filter(kind="sale.signed").exists()

    monkeypatch.undo()
    shop.deliver()
    assert Event.objects.filter(kind="sale.signed").count() == 1
