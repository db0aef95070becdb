"""A shop that sells through the whole house against the simulator, on real PostgreSQL and Redis."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone

from companies import authentication
from companies.models import COMPANY_SCOPES, ApiToken, Company
from companies.services import onboard_company
from devices import calls
from devices.initialisation import initialise
from devices.models import Device
from items import known, rates
from items.services import introduction
from outbox import breaker, doorbell, services, waiting
from outbox.models import Lane, Transmission
from outbox.queries import due_lanes
from sales.models import Invoice
from sales.tests import shop as offline

from . import simulator as simulators
from .doors import furnish


@pytest.fixture(scope="session")
def simulator_process():
    process, simulator = simulators.start("--mode", "strict")
    yield simulator
    process.terminate()
    process.wait(10)


@pytest.fixture
def simulator(simulator_process, settings):
    """KRA's side, empty and healthy."""
    simulator_process.reset()
    simulator_process.heal()
    url = simulator_process.url
    settings.KRA_SIMULATOR_URL = url
    settings.KRA_HOSTS = settings.KRA_HOSTS | {
        ("simulator", "direct"): (f"{url}/etims-api", ""),
        ("simulator", "gavaconnect"): (
            f"{url}/etims-oscu/api/v1",
            f"{url}/v1/token/generate?grant_type=client_credentials",
        ),
    }
    settings.KRA_READ_TIMEOUT = 2.0
    settings.OUTBOX_BACKOFF_BASE = 0.01
    return simulator_process


@pytest.fixture(autouse=True)
def fresh_caches(monkeypatch):
    """What a process remembers must not outlive a test's database."""
    services.forget()
    breaker.forget()
    calls.forget_devices()
    rates.forget()
    known.forget()
    introduction.forget()
    authentication.TokenAuthentication.cache.clear()
    monkeypatch.setattr(doorbell, "_broken_until", float("inf"))


@dataclass
class Shop:
    """A company with one device, and a till that talks to the API."""

    company: Company
    device: Device
    secret: str
    simulator: simulators.Simulator
    client: Client

    @property
    def lane(self) -> Lane:
        return Lane.objects.get(device=self.device, stream="fiscal")

    @property
    def pin(self) -> str:
        return self.company.pin

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Token {self.secret}"} | more

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.client.post(
            path, body, content_type="application/json", headers=self.headers(**headers)
        )

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers())

    def sale(self, reference: str, **more: Any) -> dict[str, Any]:
        lines = [{"item": "KETTLE", "quantity": "1"}, {"item": "FIT", "quantity": "2"}]
        return {"device": self.device.serial, "reference": reference, "lines": lines} | more

    def sell(self, reference: str, **more: Any) -> Invoice:
        """Accept a sale; it is not sent before somebody delivers."""
        response = self.post("/api/sales/", self.sale(reference, **more))
        assert response.status_code == 202, response.content
        return Invoice.objects.get(pk=response.json()["id"])

    def status(self, invoice: Invoice) -> str:
        return Invoice.objects.whole().get(pk=invoice.pk).status

    def deliver(self, *, until_empty: bool = True) -> None:
        """What workers and sweep do, in this process and at once."""
        deliver_all(until_empty=until_empty)

    def ledger(self) -> list[dict[str, Any]]:
        invoices: list[dict[str, Any]] = self.simulator.ledger(self.pin)["invoices"]
        return invoices


def deliver_all(*, until_empty: bool = True, rounds: int = 200) -> None:
    import time

    from outbox.delivery import drain

    for _ in range(rounds):
        if until_empty:
            skip_backoff()
        lanes = list(due_lanes().values_list("pk", flat=True))
        if not lanes:
            return
        for lane_id in lanes:
            drain(lane_id, until=time.monotonic() + 60)
    raise AssertionError("the lanes never came to rest")


def skip_backoff() -> None:
    """Time passes: waits and leases of dead workers are over."""
    past = timezone.now() - timedelta(seconds=1)
    Transmission.objects.open().filter(not_before__gt=past).update(not_before=past)
    Lane.objects.update(lease_until=None, resume_at=None)


ITEMS = [
    {"sku": "KETTLE", "name": "Electric kettle 1.7 l", "classification": "1000000000",
     "tax": "B", "price": "2320.00", "packaging_unit": "CT", "quantity_unit": "NO"},
    {"sku": "SEED", "name": "Certified seed", "classification": "1000000000",
     "tax": "A", "price": "350.00", "packaging_unit": "BG", "quantity_unit": "KG"},
    {"sku": "FIT", "name": "Fitting service", "classification": "1000000000", "tax": "B",
     "price": "1000.00", "product_type": "service"},
]  # fmt: skip


@pytest.fixture
def delivery_threads(transactional_db, monkeypatch):
    """Those of waiting tills have ended before the tables are emptied."""
    with ThreadPoolExecutor(waiting.THREADS) as pool:
        monkeypatch.setattr(waiting, "_pool", pool)
        yield


@pytest.fixture
def open_shop(delivery_threads, simulator, client):
    """A function that opens a shop: company, device, registered items with stock."""

    def build(pin: str = "A123456789Z", serial: str = "dvcv1130", **company: Any) -> Shop:
        fields = {"name": "Baraka Stores", "environment": "simulator", "profile": "direct"}
        made, branch, secret = onboard_company(
            pin=pin, head_office={"code": "00", "name": "Head office"}, **(fields | company)
        )
        simulator.approve(pin, "00", serial)
        device = initialise(company=made, branch=branch, serial=serial)
        shop = Shop(made, device, secret, simulator, client)
        stock = [row | {"opening_stock": "10000"} for row in ITEMS[:2]]
        response = shop.post("/api/item/sync/", {"device": serial, "items": [*stock, ITEMS[2]]})
        assert response.status_code == 200, response.content
        shop.deliver()
        return shop

    return build


@pytest.fixture
def shop(open_shop):
    return open_shop()


NOBODY = ("http://127.0.0.1:9/etims-api", "")


@pytest.fixture
def offline_kra(settings):
    settings.KRA_HOSTS = dict.fromkeys(settings.KRA_HOSTS, NOBODY)


@pytest.fixture
def open_till(db, client, offline_kra):
    """A function that opens a shop without KRA: quick, and nothing it accepts is ever sent."""
    return partial(open_offline, client)


def open_offline(
    client: Client, pin: str = "A123456789Z", serial: str = "dvcv1130", **company: Any
) -> Shop:
    made = offline.open_company(pin, **company)
    device = offline.add_device(made, serial)
    offline.add_items(made, device)
    _, secret = ApiToken.issue(name="till", scopes=COMPANY_SCOPES, company=made)
    return Shop(made, device, secret, simulators.Simulator(""), client)


@pytest.fixture(scope="module")
def rows_for_all(django_db_setup, django_db_blocker):
    """What is stored while this is open is there for each test of the module, as it was stored:
    their transactions nest in this one. Not for tests that need transactions of their own.
    """
    everything = transaction.atomic()
    everything._from_testcase = True  # durable blocks may be within, as in Django's own TestCase
    with django_db_blocker.unblock(), everything:
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def alphaville(rows_for_all):
    """A function that furnishes a company with one of everything, once for the module."""
    with override_settings(KRA_HOSTS=dict.fromkeys(settings.KRA_HOSTS, NOBODY)):
        yield lambda **facts: furnish(
            open_offline(Client(), "A000000001A", "dvc-a1", name="Alphaville Stores", **facts)
        )


@pytest.fixture
def till(open_till):
    return open_till()


@pytest.fixture
def total():
    """KES of the standard sale: one kettle and two fittings."""
    return Decimal("4320.00")


@pytest.fixture
def platform_token(db):
    return ApiToken.issue(name="operator", scopes=["platform:admin"])[1]
