from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from devices import calls
from devices.models import Device
from items.models import Item
from items.tests.conftest import (
    _fresh_process,
    alpha,
    api,
    beta,
    company,
    deliver,
    device,
    kra,
    till,
)
from items.tests.fake_kra import FakeKRA, accepted
from purchases.models import Purchase
from purchases.services import sync_branch

__all__ = [
    "_fresh_process",
    "alpha",
    "api",
    "beta",
    "company",
    "deliver",
    "device",
    "kra",
    "till",
]
SUPPLIER = "P000000000S"


@pytest.fixture(autouse=True)
def _fresh_devices() -> None:
    calls.forget_devices()


def offered_line(place: int, **more: Any) -> dict[str, Any]:
    """What case 20's supplier writes: 1157.11 at 16 %, taxable in whole shillings."""
    facts = {
        "itemSeq": place, "itemCd": f"KE2CTNO000001{place}", "itemClsCd": "1000000000",
        "itemNm": f"Thing {place}", "bcd": None, "pkgUnitCd": "CT", "pkg": 1, "qtyUnitCd": "NO",
        "qty": 1, "prc": 1157.11, "splyAmt": 998, "dcRt": 0, "dcAmt": 0, "taxTyCd": "B",
        "taxblAmt": 998, "taxAmt": 159.11, "totAmt": 1157.11,
    }  # fmt: skip
    return facts | more


def offer(number: int, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    lines = lines or (offered_line(1),)
    facts = {
        "spplrTin": SUPPLIER, "spplrNm": "Bidhaa Wholesale Ltd", "spplrBhfId": "00",
        "spplrInvcNo": number, "spplrSdcId": "KRACU1", "spplrMrcNo": "M1", "rcptTyCd": "S",
        "pmtTyCd": "02", "cfmDt": "2026-11-20 10:20:30", "salesDt": "20261120",
        "totItemCnt": len(lines),
        "totTaxblAmt": sum(line["taxblAmt"] for line in lines),
        "totTaxAmt": sum(line["taxAmt"] for line in lines),
        "totAmt": sum(line["totAmt"] for line in lines),
        "remark": None, "itemList": list(lines),
    }  # fmt: skip
    return facts | more


def offers(*rows: dict[str, Any], at: str = "20261122101500") -> Any:
    return accepted({"saleList": list(rows)}, at=at)


@pytest.fixture
def goods(alpha: Any) -> Callable[..., Item]:
    """An item of alpha that KRA knows."""

    def make(sku: str, number: int, **more: Any) -> Item:
        now = timezone.now()
        facts = {
            "company": alpha, "name": f"Our {sku}", "code": f"KE2NTNO{number:07}",
            "classification": "1000000000", "tax_letter": "B", "price": "1500.00",
            "registered_at": now, "created_at": now, "updated_at": now,
        }  # fmt: skip
        return Item.objects.create(sku=sku, **(facts | more))

    return make


@pytest.fixture
def fetch(kra: FakeKRA, till: Device) -> Callable[..., list[Purchase]]:
    """Let KRA offer these and fetch them."""

    def take(*rows: dict[str, Any], device: Device = till) -> list[Purchase]:
        kra.replies["purchase_sales_list"].append(offers(*rows))
        sync_branch(device)
        return list(Purchase.objects.filter(branch=device.branch_id).order_by("pk"))

    return take
