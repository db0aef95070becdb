"""Processes killed with SIGKILL at every point of the life of a sale: nothing lost or doubled."""

import json
import os
import signal
import subprocess
import sys

import pytest
from django.db import connection

from devices.models import Call
from outbox.models import Lane, Status, Transmission
from sales.models import Invoice, Receipt

from .conftest import deliver_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def database_url():
    c = connection.settings_dict
    return f"postgres://{c['USER']}:{c['PASSWORD']}@{c['HOST']}:{c['PORT']}/{c['NAME']}"


def run_victim(simulator, point, subject):
    environment = os.environ | {"DATABASE_URL": database_url(), "KRA_SIMULATOR_URL": simulator.url}
    command = [sys.executable, "-m", "tests.victim", point, str(subject)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


def assert_sold_once(shop, *invoices):
    held = shop.ledger()
    assert [h["number"] for h in held] == list(range(1, len(invoices) + 1))
    for invoice, h in zip(invoices, held, strict=True):
        receipt = Receipt.objects.get(invoice=invoice)
        assert h["reference"] == invoice.reference
        assert (receipt.number, receipt.signature) == (h["number"], h["signature"])
    assert shop.lane.last_number == len(invoices)


DEATHS = ["after_claim", "after_send", "after_answer_stored", "inside_record", "after_record"]


@pytest.mark.parametrize("point", DEATHS)
def test_it_survives_a_worker_killed(shop, point):
    first, second = shop.sell("T-1"), shop.sell("T-2")

    victim = run_victim(shop.simulator, point, shop.lane.pk)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()
    deliver_all()

    assert_sold_once(shop, first, second)


@pytest.mark.parametrize("point", ["after_claim", "after_send"])
def test_it_survives_workers_killed_again_and_again(shop, point):
    sales = [shop.sell(f"T-{n}") for n in range(4)]

    for _ in range(3):
        Lane.objects.update(lease_until=None)
        run_victim(shop.simulator, point, shop.lane.pk)
    deliver_all()

    assert_sold_once(shop, *sales)


def test_it_leaves_a_dead_workers_lane_alone_until_its_lease_ends(shop):
    shop.sell("T-1")

    run_victim(shop.simulator, "after_claim", shop.lane.pk)
    deliver_all(until_empty=False)

    assert Transmission.objects.get(kind="sale").status == Status.SENDING
    assert shop.ledger() == []


def test_it_reads_the_stored_answer_instead_of_asking_again(shop):
    sale = shop.sell("T-1")

    run_victim(shop.simulator, "after_answer_stored", shop.lane.pk)
    deliver_all()

    assert_sold_once(shop, sale)
    row = Transmission.objects.get(kind="sale")
    assert [c.endpoint for c in Call.objects.filter(transmission=row.pk)] == ["sales_save"]


def test_it_looks_up_what_a_dead_worker_had_sent(shop):
    sale = shop.sell("T-1")

    run_victim(shop.simulator, "after_send", shop.lane.pk)
    deliver_all()

    assert_sold_once(shop, sale)
    calls = Call.objects.filter(transmission=sale.transmission_id).order_by("id")
    assert [(c.endpoint, c.outcome) for c in calls] == [
        ("sales_save", Call.Outcome.OPEN),
        ("invoice_details", Call.Outcome.ACCEPTED),
    ]


def test_it_sells_what_a_dead_web_process_had_committed(shop):
    subject = json.dumps(shop.sale("T-1"))

    victim = run_victim(shop.simulator, "after_commit", subject)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()
    deliver_all()

    assert_sold_once(shop, Invoice.objects.get(reference="T-1"))
