"""The statements that every sale runs, by hand (see outbox/statements.py for the reason)."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models

from devices.calls import storable
from kra.records import Signature
from outbox.models import Transmission

from .models import Invoice, InvoiceLine

STORE_RECEIPT = """
    WITH sold AS (
        SELECT id FROM sales_invoice WHERE transmission_id = %s
    ), stored AS (
        INSERT INTO sales_receipt (
            invoice_id, number, receipt_number, total_receipts, internal_data, signature,
            signed_at, scu_id, created_at
        )
        SELECT id, %s, %s, %s, %s, %s, %s, %s, %s FROM sold
    )
    SELECT sold.id, EXISTS (
        SELECT FROM sales_invoiceline line JOIN items_item item ON item.id = line.item_id
        WHERE line.invoice_id = sold.id AND item.product_type <> '3'
    ) FROM sold
"""


def store_receipt(row: Transmission, signed: Signature, now: datetime) -> tuple[int, bool]:
    """Insert what KRA signed; return the invoice's id and whether it moves goods."""
    with connection.cursor() as cursor:
        cursor.execute(
            STORE_RECEIPT,
            [
                row.pk, row.number, signed.receipt_number, signed.total_receipts,
                storable(signed.internal_data, 255), storable(signed.signature, 255),
                signed.signed_at,
                row.lane.device.scu_id, now,
            ],
        )  # fmt: skip
        invoice_id, has_goods = cursor.fetchone()
    return int(invoice_id), bool(has_goods)


def insert_sale(invoice: Invoice, row: Transmission, lines: Sequence[InvoiceLine]) -> None:
    """Insert the debt, the invoice and its lines in one statement: all, or nothing.

    Sets the keys of invoice and row. Raises IntegrityError when the reference is taken.
    """
    line_fields = _fields(InvoiceLine, "invoice_id")
    params = _values(row, _fields(Transmission)) + _values(
        invoice, _fields(Invoice, "transmission_id")
    )
    params += [[_value(line, field) for line in lines] for field in line_fields]
    with connection.cursor() as cursor:
        cursor.execute(_insert_sale(), params)
        row.pk, invoice.pk = cursor.fetchone()
    for each in (row, invoice):
        each._state.adding, each._state.db = False, "default"
    invoice.transmission = row


def _fields(model: type[models.Model], *but: str) -> list[Any]:
    fields = model._meta.concrete_fields
    return [field for field in fields if not field.primary_key and field.attname not in but]


def _values(row: models.Model, fields: Sequence[Any]) -> list[Any]:
    return [_value(row, field) for field in fields]


def _value(row: models.Model, field: Any) -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)


@lru_cache(maxsize=1)
def _insert_sale() -> str:
    """Composed once from the models, so that a new column cannot be forgotten here."""
    owed, sold = _fields(Transmission), _fields(Invoice, "transmission_id")
    line = _fields(InvoiceLine, "invoice_id")
    arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field in line)
    return f"""
        WITH owed AS (
            INSERT INTO outbox_transmission ({_names(owed)}) VALUES ({_marks(owed)}) RETURNING id
        ), sold AS (
            INSERT INTO sales_invoice ({_names(sold)}, transmission_id)
            SELECT {_marks(sold)}, owed.id FROM owed RETURNING id
        ), added AS (
            INSERT INTO sales_invoiceline (invoice_id, {_names(line)})
            SELECT sold.id, line.* FROM sold, unnest({arrays}) AS line
        )
        SELECT owed.id, sold.id FROM owed, sold
    """


def _names(fields: Sequence[Any]) -> str:
    return ", ".join(f'"{field.column}"' for field in fields)


def _marks(fields: Sequence[Any]) -> str:
    return ", ".join(f"%s::{field.db_type(connection)}" for field in fields)
