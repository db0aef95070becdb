"""The demo's shop: who sells, and what. Everything here is made up."""

import secrets
from typing import Any

COMPANY = "Baraka Stores"
PIN = "A123456789Z"
BRANCH = "00"
SERIAL = "DEMO-0001"
BUYER = {"pin": "P000111222B", "name": "Mfano Hotel Ltd"}
# One classification that KRA's sandbox and the simulator know.
CLASSIFICATION = "1000000000"
OPENING_STOCK = "500"

GOODS: list[dict[str, Any]] = [
    {
        "sku": "KETTLE",
        "name": "Electric kettle 1.7 l",
        "tax": "standard",
        "price": "2320.00",
        "packaging_unit": "CT",
    },
    {
        "sku": "SEED",
        "name": "Certified seed 1 kg",
        "tax": "exempt",
        "price": "350.00",
        "packaging_unit": "BG",
        "quantity_unit": "KG",
    },
]
SERVICE: dict[str, Any] = {
    "sku": "FITTING",
    "name": "Fitting on site",
    "tax": "standard",
    "price": "1000.00",
    "product_type": "service",
}


def new_pin() -> str:
    """Another taxpayer, when the first one's PIN is taken."""
    return f"P{secrets.randbelow(10**9):09d}Z"


def company(pin: str) -> dict[str, Any]:
    return {
        "pin": pin,
        "name": COMPANY,
        "environment": "simulator",
        "profile": "direct",
        "head_office": {"code": BRANCH, "name": "Head office", "address": "Moi Avenue, Nairobi"},
    }


def catalogue() -> list[dict[str, Any]]:
    """Goods with opening stock (KRA sells nothing it does not know to be there), and a service."""
    goods = [row | {"opening_stock": OPENING_STOCK} for row in GOODS]
    return [row | {"classification": CLASSIFICATION} for row in (*goods, SERVICE)]


def sale(reference: str, serial: str) -> dict[str, Any]:
    """Goods with a discount, exempt goods and a service, to a buyer with a PIN."""
    return {
        "device": serial,
        "reference": reference,
        "prices_include_tax": True,
        "customer": BUYER,
        "payment_method": "mobile_money",
        "lines": [
            {"item": "KETTLE", "quantity": "2", "unit_price": "2320.00", "discount_percent": "10"},
            {"item": "SEED", "quantity": "3"},
            {"item": "FITTING", "quantity": "1"},
        ],
    }


def credit_note(original: str, serial: str) -> dict[str, Any]:
    """One of the two kettles comes back."""
    return {
        "device": serial,
        "reference": f"{original}-CN",
        "original": original,
        "reason": "damaged",
        "lines": [{"line": 1, "quantity": "1"}],
    }
