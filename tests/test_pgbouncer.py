"""Web, worker and beat behind PgBouncer in transaction mode, on fewer sessions than they have
threads. Backups, restores and migrations are not among them: they want the server itself, because
pg_dump and long locks hold a session (docs/scaling.md).
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest
import urllib3

from devices.models import Call
from monitoring.journal.comparing import verify_device
from monitoring.models import JournalEntry
from monitoring.tests.receiver import Receiver
from sales.models import Receipt

from . import pooler as poolers
from .pooler import pooling
from .stack import START_S, answers, listener, running, wait_until, wait_until_settled
from .stack import Till as SteadyTill

pytestmark = pytest.mark.django_db(transaction=True)

if not poolers.program():
    pytest.skip("pgbouncer is not installed", allow_module_level=True)

SIZE = 3
SALES = 24
REPORTS = [
    "/api/invoices/?limit=20",
    "/api/reports/x/?device={device}",
    "/api/reports/vat/?device={device}&from={day}&to={day}&format=csv",
    "/api/reports/payments/?device={device}",
    "/api/reports/plu/?device={device}",
    "/api/journal/?device={device}",
    "/api/dashboard/",
    "/health/",
]
# What a session would keep for the next one who is given it. PgBouncer itself follows these three.
FOLLOWED = ("application_name", "client_encoding", "TimeZone")
RESIDUE = {
    "settings": "SELECT name || '=' || setting FROM pg_settings"
    " WHERE source = 'session' AND setting <> reset_val"
    f" AND name NOT IN {FOLLOWED}",
    "channels": "SELECT pg_listening_channels()",
    "advisory locks": "SELECT objid::text FROM pg_locks WHERE locktype = 'advisory'"
    " AND pid = pg_backend_pid()",
    "temporary tables": "SELECT relname FROM pg_class WHERE relpersistence = 't'"
    " AND pg_table_is_visible(oid)",
    "cursors": "SELECT name FROM pg_cursors WHERE is_holdable",
}


def residue(pooler):
    """What is left in each session of the pool, asked at once so that each is asked."""
    together, found = threading.Barrier(SIZE), {}

    def ask(_):
        with pooler.connect() as asking, asking.transaction():
            (pid,) = asking.execute("SELECT pg_backend_pid()").fetchone()
            together.wait(20)
            cursor = psycopg.ClientCursor(asking)
            found[pid] = {
                name: rows
                for name, question in RESIDUE.items()
                if (rows := [row[0] for row in cursor.execute(question)])
            }

    with ThreadPoolExecutor(SIZE) as pool:
        list(pool.map(ask, range(SIZE)))
    return found


def read(url, shop, path):
    path = path.format(device=shop.device.serial, day=time.strftime("%Y-%m-%d"))
    answer = urllib3.request("GET", url + path, headers=shop.headers(), timeout=20.0, retries=False)
    assert answer.status == 200, (path, answer.data[:500])
    return answer.data


def sell(till):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: till.sell(n, wait=5 * (n % 3 == 0)), range(SALES)))
    assert till.failures == []
    assert sorted(till.sold) == sorted(f"{till.prefix}-{n}" for n in range(SALES))


def assert_sold_once(shop):
    held = shop.ledger()
    receipts = Receipt.objects.filter(invoice__device=shop.device).order_by("number")
    ours = [(r.number, r.invoice.reference, r.signature) for r in receipts]
    assert ours == [(h["number"], h["reference"], h["signature"]) for h in held]
    assert [h["number"] for h in held] == list(range(1, SALES + 1))


def assert_journal_is_whole(device):
    _, findings = verify_device(device)
    assert findings == []
    entries = JournalEntry.objects.filter(device=device, kind="call")
    assert entries.count() == Call.objects.filter(device=device).count()


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    made = Receiver()
    settings.WEBHOOK_PORTS = [made.port]
    yield made
    made.stop()


@pytest.fixture
def installed(open_shop, simulator, receiver):
    """A function that runs an installation of two shops behind a pooler."""
    shops = [open_shop(), open_shop("A987654321Z", "dvc2")]
    for shop in shops:
        wish = {"url": receiver.url, "events": ["sale.signed"]}
        assert shop.post("/api/webhooks/", wish).status_code == 201
    with ExitStack() as todo:

        def build(**environment):
            pooler = todo.enter_context(pooling(size=SIZE))
            known = {
                "DATABASE_URL": pooler.url,
                "WEBHOOK_ALLOW_HTTP": "true",
                "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "WEBHOOK_PORTS": str(receiver.port),
            }
            stack = todo.enter_context(running(simulator, **known, **environment))
            held, url = listener()
            todo.callback(held.close)
            stack.web(inherit=held.fileno())
            stack.worker()
            stack.beat()
            wait_until(lambda: answers(url), START_S, lambda: stack.log("web"))
            return shops, pooler, stack, url

        yield build


def assert_it_works(installed, receiver, **environment):
    shops, pooler, stack, url = installed(**environment)
    tills = [SteadyTill([url], s.secret, s.device.serial, f"T{n}") for n, s in enumerate(shops)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sell, tills))

    clients = pooler.clients()
    wait_until_settled(30)
    for shop in shops:
        for path in REPORTS:
            read(url, shop, path)
        assert_sold_once(shop)
        assert_journal_is_whole(shop.device)
    wait_until(lambda: len(receiver.requests) >= 2 * SALES, 20)
    told = {headers["webhook-id"] for headers, _ in receiver.requests}
    assert len(told) == len(receiver.requests) == 2 * SALES

    assert clients > SIZE >= pooler.sessions()
    left = residue(pooler)
    assert list(left.values()) == [{}] * SIZE
    for name in ("web", "worker", "beat"):
        assert "prepared statement" not in stack.log(name)


def test_it_works_without_prepared_statements(installed, receiver):
    """DATABASE_PREPARE=false: any version of PgBouncer, Debian 12's 1.18 too."""
    assert_it_works(installed, receiver, DATABASE_PREPARE="false")


@pytest.mark.skipif(
    bool(poolers.program()) and poolers.version() < (1, 21),
    reason="pgbouncer follows prepared statements from 1.21 on: DATABASE_PREPARE=false here",
)
def test_it_works_with_prepared_statements(installed, receiver):
    assert_it_works(installed, receiver)


def test_the_residue_is_seen(db):
    """What the others assert is absent would be found."""
    with pooling(size=SIZE) as pooler:
        for _ in range(2 * SIZE):
            with pooler.connect() as careless:
                careless.execute("SELECT pg_advisory_lock(1)")
                careless.execute("SET statement_timeout = 9000")

        left = residue(pooler)

    assert {name for found in left.values() for name in found} == {"advisory locks", "settings"}
