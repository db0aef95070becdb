"""Two web and three worker processes on hosts of their own; one of each is cut off in the middle of
a drain, and comes back. Nothing is lost, nothing is doubled.
"""

import logging
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from django.db import connection

from outbox.doorbell import RING_AGAIN_AFTER_S
from outbox.lanes import SPARE
from outbox.models import Lane, Transmission
from sales.models import Invoice, Receipt

from .hosts import network, relayed, why_not
from .stack import (
    QUICK,
    START_S,
    Till,
    answers,
    database_url,
    running,
    wait_until,
    wait_until_settled,
)

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WEBS, WORKERS = ("web-1", "web-2"), ("w-1", "w-2", "w-3")
BACKLOG = 40
LATENCY_MS = 400
SWEEP_S = float(QUICK["SWEEP_SECONDS"])
LEASE_S = SPARE * (
    2 * (float(QUICK["KRA_CONNECT_TIMEOUT"]) + float(QUICK["KRA_READ_TIMEOUT"]))
    + float(QUICK["OUTBOX_LEASE_MARGIN"])
)
# A ring that went to the worker that is cut off is repeated only after its key has expired.
MOVES_WITHIN_S = LEASE_S + RING_AGAIN_AFTER_S + SWEEP_S + 5
# What docs/scaling.md has the server do with a session whose client is gone.
IDLE = "5s"


@pytest.fixture
def cluster(simulator):
    """A function that runs two webs and three workers, each on a host of its own."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with ExitStack() as todo:
        net = todo.enter_context(network())
        hosts = {name: net.add() for name in (*WEBS, *WORKERS)}
        addresses = [net.address(hosts[name]) for name in WEBS]
        database = int(connection.settings_dict["PORT"])
        stack = todo.enter_context(
            running(
                simulator,
                DATABASE_URL=database_url(net.gateway),
                KRA_SIMULATOR_URL=f"http://{net.gateway}:{urlsplit(simulator.url).port}",
                ALLOWED_HOSTS=",".join(["127.0.0.1", *addresses]),
                OUTBOX_SLICE_SECONDS="60",
                LOG_LEVEL="INFO",
            )
        )
        redis = urlsplit(stack.environment["REDIS_URL"])
        stack.environment["REDIS_URL"] = redis._replace(
            netloc=f":{redis.password}@{net.gateway}:{redis.port}"
        ).geturl()
        ports = (database, redis.port, urlsplit(simulator.url).port)
        todo.enter_context(relayed(net.gateway, *ports))
        wait_until(lambda: is_open(net.gateway, ports[-1]), 10)
        yield net, hosts, stack, [f"http://{address}:8000" for address in addresses]


def is_open(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def impatient_server(transactional_db):
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '{IDLE}'")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET idle_in_transaction_session_timeout")


def start(cluster):
    """All of it, and nothing to do yet."""
    net, hosts, stack, urls = cluster
    for name in WEBS:
        bind = f"{net.address(hosts[name])}:8000"
        stack.web(name, within=net.within(hosts[name]), BIND=bind)
    for name in WORKERS:
        stack.worker(name, within=net.within(hosts[name]))
    stack.beat()
    for url, name in zip(urls, WEBS, strict=True):
        wait_until(lambda url=url: answers(url), START_S, lambda name=name: stack.log(name))
    for name in WORKERS:
        wait_until(
            lambda name=name: "ready." in stack.log(name),
            START_S,
            lambda name=name: stack.log(name),
        )


def busiest(stack, lanes):
    """The worker that has most of the lanes in hand, as its log says."""
    said = {name: stack.log(name) for name in WORKERS}
    held = {n: sum('"kind": "sale"' in t and f'"lane": {k},' in t for k in lanes)
            for n, t in said.items()}  # fmt: skip
    return max(held, key=lambda name: held[name])


def accepted(lane_id):
    return Transmission.objects.filter(lane=lane_id, status="accepted").count()


def assert_books_agree(shop):
    held = shop.ledger()
    receipts = Receipt.objects.filter(invoice__device=shop.device).order_by("number")
    ours = [
        (r.number, r.invoice.reference, r.signature, r.invoice.total)
        for r in receipts.select_related("invoice")
    ]
    theirs = [(h["number"], h["reference"], h["signature"]) for h in held]
    assert [row[:3] for row in ours] == theirs
    assert [h["number"] for h in held] == list(range(1, len(held) + 1))
    assert len({h["reference"] for h in held}) == len(held)
    assert Invoice.objects.filter(device=shop.device).count() == len(held)


@contextmanager
def selling(tills):
    enough = threading.Event()
    threads = [threading.Thread(target=till.sell_steadily, args=(0.4, enough)) for till in tills]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(60)


def cut_and_heal(cluster, lanes):
    """Seconds until every lane moved on without the worker that had most of them."""
    net, hosts, stack, _ = cluster
    victim = busiest(stack, lanes)
    net.cut(hosts[victim])
    net.cut(hosts["web-2"])
    cut_at = time.monotonic()
    before = {lane: accepted(lane) for lane in lanes}
    assert all(count < BACKLOG for count in before.values()), before
    wait_until(
        lambda: all(accepted(lane) > before[lane] + 1 for lane in lanes),
        MOVES_WITHIN_S,
        lambda: (before, {lane: accepted(lane) for lane in lanes}, victim),
    )
    took = time.monotonic() - cut_at
    net.heal(hosts[victim])
    net.heal(hosts["web-2"])
    time.sleep(2)
    return took


def test_a_web_and_a_worker_cut_off_lose_and_double_nothing(cluster, open_shop, impatient_server):
    _, _, stack, urls = cluster
    shops = [open_shop(f"A12345678{n}Z", f"dvc{n}") for n in range(3)]
    shops[0].simulator.call("PUT", "latency", {"ms": LATENCY_MS})
    start(cluster)
    for n in range(BACKLOG):
        for shop in shops:
            shop.sell(f"B-{n}")
    lanes = list(Lane.objects.filter(stream="fiscal").values_list("pk", flat=True))
    wait_until(lambda: all(accepted(lane) > 1 for lane in lanes), 60, lambda: stack.log("w-1"))
    tills = [Till(urls, s.secret, s.device.serial, "N", timeout=3.0, tries=6) for s in shops]
    with selling(tills):
        took = cut_and_heal(cluster, lanes)
    shops[0].simulator.call("PUT", "latency", {"ms": 0})
    wait_until_settled(120)

    log.info("lanes moved after %.1f s; the lease is %.1f s", took, LEASE_S)
    for shop, till in zip(shops, tills, strict=True):
        assert_books_agree(shop)
        mine = Invoice.objects.filter(device=shop.device, reference__startswith="N-")
        assert set(till.sold) <= set(mine.values_list("reference", flat=True))
        assert len(till.sold) == len(set(till.sold)) > 5
    # Who was cut off works again.
    wait_until(lambda: answers(urls[1]), 30, lambda: stack.log("web-2"))
    assert [name for name, p in stack.processes.items() if p.poll() is not None] == []
