"""Companies with devices, and KRA as a script. Nothing leaves the process."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from companies.authentication import TokenAuthentication
from companies.models import COMPANY_SCOPES, ApiToken, Branch, Company
from devices import calls
from devices.models import Device

from .fake_kra import FakeKRA

KEY = "CMCKEY-0123456789-NEVER-SHOWN"
URL = "http://kra.test/etims-api"


@pytest.fixture(autouse=True)
def fresh_caches():
    """What a process remembers must not outlive a test's database."""
    TokenAuthentication.cache.clear()
    calls.forget_devices()


@pytest.fixture(autouse=True)
def kra(monkeypatch, settings) -> FakeKRA:
    fake = FakeKRA()
    monkeypatch.setattr(calls, "client", lambda: fake)
    settings.KRA_HOSTS = settings.KRA_HOSTS | {
        ("simulator", "direct"): (URL, ""),
        ("simulator", "gavaconnect"): (URL, "http://kra.test/token"),
    }
    return fake


@pytest.fixture
def open_company(db) -> Callable[..., Company]:
    def build(pin: str, **fields: Any) -> Company:
        facts = {"name": f"Shop {pin}", "environment": "simulator", "profile": "direct"}
        company = Company.objects.create(pin=pin, **(facts | fields))
        Branch.objects.create(company=company, code="00", name="Head office", is_head_office=True)
        return company

    return build


@pytest.fixture
def alpha(open_company):
    return open_company("A000000001A")


@pytest.fixture
def beta(open_company):
    return open_company("B000000002B")


@pytest.fixture
def branch(alpha):
    return alpha.branches.get()


@pytest.fixture
def add_device() -> Callable[..., Device]:
    """A device as it is once KRA has handed out its key, unless told otherwise."""

    def build(company: Company, serial: str = "dvc1", **fields: Any) -> Device:
        facts = {"branch": company.branches.get(code="00"), "state": "active", "key": KEY}
        device = Device.objects.create(company=company, serial=serial, **(facts | fields))
        return Device.objects.select_related("company", "branch").get(pk=device.pk)

    return build


@pytest.fixture
def device(alpha, add_device):
    return add_device(alpha)


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """A client with a token: of a company, bound to a device, with chosen scopes."""

    def build(company: Company | None = None, **fields: Any) -> APIClient:
        scopes = COMPANY_SCOPES if company else ["platform:admin"]
        _, secret = ApiToken.issue(
            name="test", company=company, **({"scopes": list(scopes)} | fields)
        )
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
        return client

    return build
