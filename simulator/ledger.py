"""What KRA holds of one device, in plain words: the truth that tests compare with."""

from decimal import Decimal
from typing import Any

from simulator.state import Device, Invoice, World


def counters(device: Device) -> dict[str, Any]:
    return {
        "invoice": device.last_invoice,
        "purchase": device.last_purchase,
        "stock": device.last_movement,
        "invoices": len(device.invoices),
        "sales": device.receipts["S"],
        "credit_notes": device.receipts["R"],
        "receipts": sum(device.receipts.values()),
    }


def ledger(world: World, device: Device) -> dict[str, Any]:
    owner = world.taxpayer(device.pin)
    return {
        "invoices": [_row(device.invoices[number]) for number in sorted(device.invoices)],
        "counters": {**counters(device), "item": owner.last_item},
        "stock": {code: plain(quantity) for code, quantity in sorted(device.stock.items())},
        "reported": {code: plain(quantity) for code, quantity in sorted(device.reported.items())},
        "items": sorted(owner.items),
        "purchases": [_purchase(device.purchases[number]) for number in sorted(device.purchases)],
        "movements": sorted(device.movements),
        "saved": {
            group: [_without_identity(rows[key]["body"]) for key in sorted(rows)]
            for group, rows in sorted(device.saved.items())
        },
    }


def _row(invoice: Invoice) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "original": invoice.original,
        "kind": invoice.kind,
        "total": f"{invoice.total:.2f}",
        "tax": f"{invoice.tax:.2f}",
        "buyer_pin": invoice.buyer_pin,
        "buyer_name": invoice.buyer_name,
        "signature": invoice.signature,
        "receipt_number": invoice.receipt_number,
        "reference": invoice.reference,
        "signed_at": invoice.signed_at,
    }


def _purchase(document: dict[str, Any]) -> dict[str, Any]:
    body = document["body"]
    return {
        "number": body["invcNo"],
        "supplier_pin": body.get("spplrTin"),
        "supplier_number": body.get("spplrInvcNo"),
        "total": f"{Decimal(body['totAmt']):.2f}",
    }


def _without_identity(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("tin", "bhfId")}


def plain(quantity: Decimal) -> int | Decimal:
    """8 rather than 8.00."""
    return int(quantity) if quantity == int(quantity) else quantity.normalize()
