from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from items import rates
from outbox import services
from sales.acceptance import Accepted, create_sale
from sales.models import Invoice
from sales.schemas import SaleInput

from . import shop


@pytest.fixture(autouse=True)
def fresh_caches():
    """What a process remembers must not outlive a test's database."""
    services.forget()
    rates.forget()


@pytest.fixture
def device(db):
    company = shop.open_company()
    device = shop.add_device(company)
    shop.add_items(company, device)
    return device


@pytest.fixture
def sale() -> Callable[..., dict[str, Any]]:
    """One kettle, unless told otherwise."""

    def build(reference: str = "T-1", **more: Any) -> dict[str, Any]:
        return {"reference": reference, "lines": [{"item": "KETTLE", "quantity": "1"}]} | more

    return build


@pytest.fixture
def accept(device, sale) -> Callable[..., Accepted]:
    def build(reference: str = "T-1", **more: Any) -> Accepted:
        return create_sale(device, msgspec.convert(sale(reference, **more), SaleInput))

    return build


@pytest.fixture
def sell(accept) -> Callable[..., Invoice]:
    """The accepted sale, read back as the views read it."""

    def build(reference: str = "T-1", **more: Any) -> Invoice:
        return Invoice.objects.whole().get(pk=accept(reference, **more).invoice.pk)

    return build
