from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from companies.models import COMPANY_SCOPES, ApiToken
from devices import calls
from items import known, rates
from outbox import breaker, services
from sales.acceptance import Accepted, create_sale
from sales.credit_notes import create_credit_note
from sales.models import Invoice
from sales.schemas import CreditNoteInput, SaleInput

from . import shop
from .fake_kra import FakeKRA


@pytest.fixture(autouse=True)
def fresh_caches():
    """What a process remembers must not outlive a test's database."""
    services.forget()
    rates.forget()
    known.forget()


@pytest.fixture
def device(db):
    company = shop.open_company()
    device = shop.add_device(company)
    shop.add_items(company, device)
    return device


@pytest.fixture
def accept(device) -> Callable[..., Accepted]:
    """Make a sale of one kettle, unless told otherwise."""

    def build(reference: str = "T-1", **more: Any) -> Accepted:
        sale = {"reference": reference, "lines": [{"item": "KETTLE", "quantity": "1"}]} | more
        return create_sale(device, msgspec.convert(sale, SaleInput))

    return build


@pytest.fixture
def sell(accept) -> Callable[..., Invoice]:
    """The accepted sale, read back as the views read it."""

    def build(reference: str = "T-1", **more: Any) -> Invoice:
        return read(accept(reference, **more).invoice)

    return build


@pytest.fixture
def credit(device) -> Callable[..., Invoice]:
    """The accepted credit note of T-1, read back as the views read it."""
    token, _ = ApiToken.issue(name="till", scopes=COMPANY_SCOPES, company=device.company)

    def build(reference: str = "C-1", **more: Any) -> Invoice:
        note = {"reference": reference, "original": "T-1"} | more
        data = msgspec.convert(note, CreditNoteInput)
        return read(create_credit_note(device, data, token).invoice)

    return build


@pytest.fixture
def signed(sell) -> Callable[..., Invoice]:
    """A sale that KRA has signed."""

    def build(reference: str = "T-1", **more: Any) -> Invoice:
        sale = sell(reference, **more)
        shop.sign(sale)
        return read(sale)

    return build


def read(invoice: Invoice) -> Invoice:
    return Invoice.objects.whole().get(pk=invoice.pk)


@pytest.fixture
def kra(monkeypatch, settings):
    fake = FakeKRA()
    monkeypatch.setattr(calls, "client", lambda: fake)
    hosts = {("simulator", "direct"): ("http://kra.test/etims-api", "")}
    settings.KRA_HOSTS = {**settings.KRA_HOSTS, **hosts}
    breaker.forget()
    calls.forget_devices()
    return fake
