"""Many sales from one: SQL multiplies the rows of a sale that was accepted in the usual way."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.shops import SKUS, Till, body_of

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
    source = {"model": invoice_id, "times": times}
    reference = "m.reference || '-' || n"
    content = (
        "convert_to(replace(convert_from(m.content, 'UTF8'), '\"' || m.reference || '\"',"
        " '\"' || m.reference || '-' || n || '\"'), 'UTF8')"
    )
    changes = {"id": f"{owed} + n", "reference": reference, "content": content}
    if signed:
        changes |= _accepted()
    model = f"(SELECT t.* FROM {TRANSMISSION} t JOIN {INVOICE} i ON i.transmission_id = t.id"
    _copy(cursor, TRANSMISSION, f"{model} WHERE i.id = %(model)s)", changes, source)
    changes = {
        "id": f"{sold} + n", "transmission_id": f"{owed} + n", "reference": reference,
        "public_token": "md5(m.public_token || n)",
    }  # fmt: skip
    _copy(cursor, INVOICE, f"(SELECT * FROM {INVOICE} WHERE id = %(model)s)", changes, source)
    model = f"(SELECT * FROM {LINE} WHERE invoice_id = %(model)s)"
    _copy(cursor, LINE, model, {"invoice_id": f"{sold} + n"}, source, but="id")
    if signed:
        cursor.execute(_RECEIPTS.format(first=sold), source)


def _accepted() -> dict[str, str]:
    return {
        "content": "m.content", "body": "m.content", "number": "n", "status": "'accepted'",
        "attempts": "1", "finished_at": "now()", "sha256": "repeat('0', 64)",
    }  # fmt: skip


_RECEIPTS = f"""
    INSERT INTO {RECEIPT} (invoice_id, number, receipt_number, total_receipts, internal_data,
        signature, signed_at, scu_id, created_at)
    SELECT {{first}} + n, n, n, n, 'A2B3C4D5E6F7G2H3I4J5K6L7M2', 'V249J39CFJ48HE2W', now(),
        'KRACU0100000001', now()
    FROM generate_series(1, %(times)s) n
"""


def _last(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(cursor.fetchone()[0])


def _copy(
    cursor: Any, table: str, model: str, changes: Mapping[str, str], source: Mapping[str, int],
    but: str = "",
) -> None:  # fmt: skip
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    names = [column.name for column in cursor.description if column.name != but]
    values = ", ".join(changes.get(name, f"m.{name}") for name in names)
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"
        f" FROM generate_series(1, %(times)s) n CROSS JOIN {model} m ORDER BY n",
        source,
    )
    if not but:
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        cursor.execute(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))")


assert len(SKUS) == 5
