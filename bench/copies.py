"""Many sales from one: SQL multiplies the rows of a sale that was accepted in the usual way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.shops import Till, body_of

TRANSMISSION = "outbox_transmission"
INVOICE = "sales_invoice"
LINE = "sales_invoiceline"
RECEIPT = "sales_receipt"


def accept(till: Till, reference: str) -> int:
    """One sale by sales.acceptance; the invoice's id."""
    import msgspec

    from sales.acceptance import create_sale
    from sales.schemas import SaleInput

    data = msgspec.json.decode(body_of(reference), type=SaleInput)
    return int(create_sale(till.device, data).invoice.pk)


def owe_sales(cursor: Any, tills: Sequence[Till], each: int, run: str) -> int:
    """Owe KRA `each` sales per till; how many in all. Nobody is rung for."""
    from outbox import doorbell

    doorbell._broken_until = float("inf")
    for till in tills:
        multiply(cursor, accept(till, f"{run}-{till.device.pk}"), each - 1)
    doorbell._broken_until = 0.0
    cursor.execute(f"ANALYZE {TRANSMISSION}, {INVOICE}, {LINE}")
    return len(tills) * each


def multiply(cursor: Any, invoice_id: int, times: int, *, signed: bool = False) -> None:
    """Copy a sale so often under references of its own; `signed` as if KRA had signed them."""
    if times < 1:
        return
    owed, sold = _last(cursor, TRANSMISSION), _last(cursor, INVOICE)
    copier = Copier(cursor, {"model": invoice_id, "times": times})
    reference = {"reference": "m.reference || '-' || n"}
    message = {"id": f"{owed} + n", **reference, **(ACCEPTED if signed else OWED)}
    copier.copy(TRANSMISSION, MODELS[TRANSMISSION], message)
    keys = {"id": f"{sold} + n", "transmission_id": f"{owed} + n", **reference}
    copier.copy(INVOICE, MODELS[INVOICE], keys | {"public_token": "md5(m.public_token || n)"})
    copier.copy(LINE, MODELS[LINE], {"invoice_id": f"{sold} + n"})
    if signed:
        cursor.execute(RECEIPTS.format(first=sold), copier.source)


MODELS = {
    TRANSMISSION: f"SELECT t.* FROM {TRANSMISSION} t JOIN {INVOICE} i ON i.transmission_id = t.id"
    " WHERE i.id = %(model)s",
    INVOICE: f"SELECT * FROM {INVOICE} WHERE id = %(model)s",
    LINE: f"SELECT * FROM {LINE} WHERE invoice_id = %(model)s",
}
OWED = {
    "content": "convert_to(replace(convert_from(m.content, 'UTF8'), '\"' || m.reference || '\"',"
    " '\"' || m.reference || '-' || n || '\"'), 'UTF8')"
}
ACCEPTED = {
    "body": "m.content", "number": "n", "status": "'accepted'", "attempts": "1",
    "finished_at": "now()", "sha256": "repeat('0', 64)",
}  # fmt: skip
RECEIPTS = f"""
    INSERT INTO {RECEIPT} (invoice_id, number, receipt_number, total_receipts, internal_data,
        signature, signed_at, scu_id, created_at)
    SELECT {{first}} + n, n, n, n, 'A2B3C4D5E6F7G2H3I4J5K6L7M2', 'V249J39CFJ48HE2W', now(),
        'KRACU0100000001', now()
    FROM generate_series(1, %(times)s) n
"""


def _last(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class Copier:
    cursor: Any
    source: dict[str, int]

    def copy(self, table: str, model: str, changes: Mapping[str, str]) -> None:
        """Insert the model's rows again and again, with these columns changed (n counts)."""
        cursor, has_key = self.cursor, "id" in changes
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        names = [each.name for each in cursor.description if has_key or each.name != "id"]
        order = "" if has_key else "ORDER BY n"  # many rows a copy: they belong side by side
        values = ", ".join(changes.get(name, f"m.{name}") for name in names)
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"
            f" FROM generate_series(1, %(times)s) n CROSS JOIN ({model}) m {order}",
            self.source,
        )
        if has_key:
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            cursor.execute(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))")
