"""Real Celery workers; Redis flushed, the database restarted: delayed at most, never lost."""

import os
import signal
import subprocess
import sys
import time

import pytest
import redis
from django.conf import settings

from outbox.models import Transmission

from .test_crash import assert_sold_once, database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def workers(shop):
    """A worker and a beat as in production, on the test's database and a Redis of their own."""
    url = settings.REDIS_URL.rsplit("/", 1)[0] + "/9"
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": url,
        "KRA_SIMULATOR_URL": shop.simulator.url,
        "SWEEP_SECONDS": "0.5",
        "OUTBOX_BACKOFF_BASE": "0.2",
        "LOG_LEVEL": "WARNING",
    }
    redis.Redis.from_url(url).flushdb()
    celery = [sys.executable, "-m", "celery", "-A", "etims_integration"]
    commands = [
        [*celery, "worker", "-P", "threads", "-c", "4"],
        [*celery, "beat", "--schedule", f"/tmp/etims-beat-{os.getpid()}"],
    ]
    processes = [
        subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    yield redis.Redis.from_url(url), processes
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(20)


def wait_until_signed(count, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if Transmission.objects.filter(kind="sale", status="accepted").count() >= count:
            return
        time.sleep(0.2)
    raise AssertionError(list(Transmission.objects.values_list("status", "error_code")))


def test_the_sweep_brings_home_what_nobody_rang_for(shop, workers):
    sales = [shop.sell(f"T-{n}") for n in range(5)]

    wait_until_signed(5)

    assert_sold_once(shop, *sales)


def test_redis_flushed_in_the_middle_of_a_drain_loses_nothing(shop, workers):
    broker, _ = workers
    shop.simulator.call("PUT", "latency", {"ms": 60})
    sales = [shop.sell(f"T-{n}") for n in range(40)]
    wait_until_signed(5)

    for _ in range(4):
        broker.flushdb()
        time.sleep(0.2)
    wait_until_signed(40)

    shop.simulator.call("PUT", "latency", {"ms": 0})
    assert_sold_once(shop, *sales)


def test_the_database_cutting_every_connection_loses_nothing(shop, workers):
    from django.db import connection

    shop.simulator.call("PUT", "latency", {"ms": 60})
    sales = [shop.sell(f"T-{n}") for n in range(30)]
    wait_until_signed(3)

    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute(cut)
        time.sleep(0.3)
    Transmission.objects.model.lane.field.related_model.objects.update(lease_until=None)
    wait_until_signed(30)

    shop.simulator.call("PUT", "latency", {"ms": 0})
    assert_sold_once(shop, *sales)


def test_a_worker_killed_with_tasks_in_hand_is_replaced_by_its_successor(shop, workers):
    _, (worker, _) = workers
    shop.simulator.call("PUT", "latency", {"ms": 60})
    sales = [shop.sell(f"T-{n}") for n in range(20)]
    wait_until_signed(3)

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)
    time.sleep(0.3)
    from .conftest import deliver_all

    deliver_all()

    shop.simulator.call("PUT", "latency", {"ms": 0})
    assert_sold_once(shop, *sales)
