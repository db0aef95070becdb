"""The journal behind real deliveries: whatever dies, one true entry for each fact."""

import os
import signal
import subprocess
import sys
import time

import pytest

from devices.models import Call, SigningKey
from monitoring.journal import follower
from monitoring.journal.comparing import verify_device
from monitoring.models import JournalEntry, UnjournaledFact
from sales.models import Receipt

from .test_crash import database_url

pytestmark = pytest.mark.django_db(transaction=True)


def follow():
    return follower.follow(until=time.monotonic() + 30)


def assert_whole(device):
    _, findings = verify_device(device)
    assert findings == []
    entries = JournalEntry.objects.filter(device=device)
    calls = Call.objects.filter(device=device).values_list("pk", flat=True)
    assert sorted(entries.filter(kind="call").values_list("source", flat=True)) == sorted(calls)
    receipts = entries.filter(kind="receipt").values_list("source", flat=True)
    mine = Receipt.objects.filter(invoice__device=device).values_list("pk", flat=True)
    assert sorted(receipts) == sorted(mine)
    assert not UnjournaledFact.objects.filter(device=device).exists()


def test_it_enters_a_day_at_the_till(shop):
    shop.sell("T-1")
    shop.deliver()
    waiting = shop.sell("T-2")
    assert shop.post(f"/api/invoices/{waiting.pk}/void/", {"reason": "left"}).status_code == 200
    reason = {"reason": "moved"}
    assert shop.post(f"/api/device/{shop.device.serial}/suspend/", reason).status_code == 200

    follow()

    assert_whole(shop.device)
    kinds = set(JournalEntry.objects.values_list("kind", flat=True))
    assert kinds == {"key", "call", "receipt", "voided", "device_state"}


def test_an_adoption_and_a_counter_are_entered(shop):
    """A backup was restored: KRA holds a sale that we still owe."""
    sale = shop.sell("T-1")
    shop.deliver()
    Receipt.objects.all().delete()
    type(sale.transmission).objects.filter(pk=sale.transmission_id).update(
        status="queued", number=None, body=None, sha256="", finished_at=None
    )
    shop.lane.__class__.objects.filter(pk=shop.lane.pk).update(last_number=0)

    body = {"last_number": 1, "reason": "restored"}
    response = shop.post(f"/api/device/{shop.device.serial}/resync-counter/", body)
    assert response.status_code == 200, response.content
    follow()

    assert_whole(shop.device)
    for kind in ("adopted", "counter_set", "receipt"):
        assert JournalEntry.objects.filter(kind=kind).count() == 1


VICTIM = """
import os, signal, sys, time
import django
django.setup()
from django.db import connection
from monitoring.journal import follower
from monitoring.models import JournalEntry, JournalHead
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
point = sys.argv[1]
if point == "collected":
    follower._waiting_devices = die
elif point == "signed":
    JournalEntry.objects.bulk_create = die
elif point == "written":
    JournalHead.save = die
elif point == "committed":
    real = follower.append
    follower.append = lambda *a: (real(*a), die())
follower.follow(until=time.monotonic() + 30)
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", ["collected", "signed", "written", "committed"])
def test_a_killed_follower_leaves_no_gap_and_no_double(shop, point):
    shop.sell("T-1")
    shop.deliver()

    environment = os.environ | {"DATABASE_URL": database_url()}
    command = [sys.executable, "-c", VICTIM, point]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    shop.sell("T-2")
    shop.deliver()
    follow()

    assert_whole(shop.device)
    assert SigningKey.objects.filter(device=shop.device).count() == 1
