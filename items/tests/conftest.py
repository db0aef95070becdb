import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from companies.models import COMPANY_SCOPES, ApiToken, Branch, Company
from devices import calls
from devices.models import Device
from items import rates
from items.models import Item, ItemCounter
from items.rows import ItemRow
from items.services import Verdict, introduction, sync_items
from outbox import breaker
from outbox.delivery import drain
from outbox.models import Transmission
from outbox.services import _lane_ids, lane_id_of

from .fake_kra import FakeKRA


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """Forget what a process remembers between two requests."""
    for forget in (rates.forget, introduction.forget, breaker.forget, _lane_ids.clear):
        forget()


@pytest.fixture(autouse=True)
def kra(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeKRA:
    fake = FakeKRA()
    monkeypatch.setattr(calls, "client", lambda: fake)
    hosts = {("simulator", "direct"): ("http://kra.test/etims-api", "")}
    settings.KRA_HOSTS = {**settings.KRA_HOSTS, **hosts}
    return fake


@pytest.fixture
def company(db: None) -> Callable[..., Company]:
    def make(pin: str, name: str) -> Company:
        made = Company.objects.create(pin=pin, name=name, environment="simulator", profile="direct")
        Branch.objects.create(company=made, code="00", name="Head office", is_head_office=True)
        return made

    return make


@pytest.fixture
def device() -> Callable[..., Device]:
    def make(company: Company, serial: str, branch: str = "00") -> Device:
        home, _ = Branch.objects.get_or_create(
            company=company, code=branch, defaults={"name": f"Branch {branch}"}
        )
        return Device.objects.create(
            company=company, branch=home, serial=serial, state="active", key="secret-key"
        )

    return make


@pytest.fixture
def alpha(company: Any, device: Any) -> Company:
    made: Company = company("A000000001Z", "Alpha Stores")
    device(made, "alpha-1")
    return made


@pytest.fixture
def beta(company: Any, device: Any) -> Company:
    made: Company = company("B000000002Z", "Beta Stores")
    device(made, "beta-1")
    return made


@pytest.fixture
def till(alpha: Company) -> Device:
    """Alpha's device at the head office."""
    return Device.objects.select_related("company", "branch").get(company=alpha)


@pytest.fixture
def row() -> Callable[..., ItemRow]:
    def make(sku: str = "SKU-1", **more: Any) -> ItemRow:
        facts = {"name": f"Item {sku}", "classification": "1000000000", "tax": "B"}
        return ItemRow(**{"sku": sku, "price": Decimal("116.00"), **facts, **more})

    return make


@pytest.fixture
def sync(alpha: Company, row: Any) -> Callable[..., list[Verdict]]:
    """Take rows over into alpha's catalogue; a text is a row with this SKU."""

    def take(*rows: Any, company: Company = alpha, device: Device | None = None) -> list[Verdict]:
        whole = [row(one) if isinstance(one, str) else one for one in rows]
        return sync_items(company, device, whole)

    return take


@pytest.fixture
def deliver() -> Callable[..., None]:
    """Drain a device's lane, whatever its messages wait for."""

    def run(device: Device, stream: str = "data") -> None:
        lane_id = lane_id_of(device.pk, stream)
        Transmission.objects.filter(lane=lane_id).update(not_before=timezone.now())
        assert drain(lane_id, until=time.monotonic() + 20)

    return run


@pytest.fixture
def registered(sync: Any, deliver: Any, till: Device) -> Callable[..., list[Item]]:
    """Items of alpha that KRA knows."""

    def make(*rows: Any) -> list[Item]:
        skus = [verdict.sku for verdict in sync(*rows)]
        deliver(till)
        items = {item.sku: item for item in Item.objects.filter(company=till.company_id)}
        return [items[sku] for sku in skus]

    return make


@pytest.fixture
def counter(alpha: Company) -> Callable[[], int]:
    return lambda: ItemCounter.objects.get(company=alpha).last_number


@pytest.fixture
def api() -> Callable[..., APIClient]:
    def connect(company: Company | None, scopes: list[str] | None = None, **more: Any) -> APIClient:
        _, secret = ApiToken.issue(
            name="till", scopes=scopes or COMPANY_SCOPES, company=company, **more
        )
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
        return client

    return connect
