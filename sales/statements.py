"""The statements that every sale runs, by hand (core/sql.py has the reason)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec
from django.db import models

from core import sql
from devices.calls import storable
from devices.models import SELLING
from kra.records import Signature
from outbox.models import OPEN, Transmission

from .models import Invoice, InvoiceLine, Receipt, emails_are_on

STORE_RECEIPT = """
    WITH sold AS (
        SELECT id, company_id, device_id, customer_email FROM sales_invoice
        WHERE transmission_id = $1
    ), stored AS (
        INSERT INTO sales_receipt (
            invoice_id, device_id, number, receipt_number, total_receipts, internal_data, signature,
            signed_at, scu_id, created_at
        )
        SELECT id, device_id, $2, $3, $4, $5, $6, $7, $8, $9 FROM sold
    ), mailed AS (
        INSERT INTO sales_receiptemail (
            company_id, invoice_id, address, state, attempts, not_before, label, error,
            requested_by, created_at
        )
        SELECT company_id, id, customer_email, 'waiting', 0, $9, '', '', '', $9 FROM sold
        WHERE customer_email <> '' AND $10
    )
    SELECT sold.id, EXISTS (
        SELECT FROM sales_invoiceline line JOIN items_item item ON item.id = line.item_id
        WHERE line.invoice_id = sold.id AND item.product_type <> '3'
    ) FROM sold
"""


FIND_NAME = """
    SELECT name FROM sales_customer WHERE company_id = $1 AND pin = $2 AND is_active
    ORDER BY branch_id = $3 DESC, updated_at DESC LIMIT 1
"""


def stored_name(invoice: Invoice) -> str:
    """The name under which the company knows the buyer's PIN: in this branch, else in another."""
    rows = sql.fetch_all(FIND_NAME, [invoice.company_id, invoice.customer_pin, invoice.branch_id])
    return str(rows[0][0]) if rows else ""


def store_receipt(row: Transmission, signed: Signature, now: datetime) -> tuple[int, bool]:
    """Insert what KRA signed, and owe the buyer a mail where the sale has an address.

    Returns the invoice's id and whether it moves goods.
    """
    ((invoice_id, has_goods),) = sql.run(
        STORE_RECEIPT,
        [
            row.pk, row.number, signed.receipt_number, signed.total_receipts,
            storable(signed.internal_data, 255), storable(signed.signature, 255),
            signed.signed_at,
            row.lane.device.scu_id, now, emails_are_on(),
        ],
    ).fetchall()  # fmt: skip
    return int(invoice_id), bool(has_goods)


_RECEIPT, _RECEIPT_COLUMNS = sql.columns(Receipt)
READ_RECEIPT = f"SELECT {_RECEIPT_COLUMNS} FROM sales_receipt WHERE invoice_id = $1"


def read_receipt(invoice: Invoice) -> None:
    """Hang on the invoice what KRA signed by now."""
    for fields in sql.fetch_all(READ_RECEIPT, [invoice.pk]):
        sql.loaded(Receipt, _RECEIPT, fields).invoice = invoice


class Stored(NamedTuple):
    # What KRA holds in the branch of the items whose versions were given, by id, where known.
    held: dict[int, Decimal]
    # Nothing was owed on the lane: nobody is on the way to it.
    is_alone: bool


def insert_sale(
    invoice: Invoice, row: Transmission, lines: Sequence[InvoiceLine], versions: Mapping[int, str]
) -> Stored | None:
    """Insert the debt, the invoice and its lines in one statement: all, or nothing.

    Sets the keys of invoice and row. None when the reference is taken, when the device does not
    sell (any more), or when an item has another version than in `versions` (by id).
    """
    write = _insert_sale()
    found = sql.run(
        write.statement,
        [
            invoice.device_id, row.content,
            write.owed.json(row), write.sold.json(invoice), write.line.json(*lines),
            msgspec.json.encode(versions).decode(), invoice.branch_id, row.lane_id,
        ],
    ).fetchall()  # fmt: skip
    if not found:
        return None
    ((row.pk, invoice.pk, levels, is_alone),) = found
    for each in (row, invoice):
        each._state.adding, each._state.db = False, "default"
    invoice.transmission = row
    return Stored(msgspec.json.decode(levels or "{}", type=dict[int, Decimal]), is_alone)


class _Columns:
    """The columns of a table that a new row fills by itself, and rows of it as JSON."""

    def __init__(self, model: type[models.Model], *but: str) -> None:
        fields = [
            f for f in model._meta.concrete_fields if not f.primary_key and f.column not in but
        ]
        self.names = [field.column for field in fields]
        self.list = ", ".join(f'"{name}"' for name in self.names)
        self.values = attrgetter(*(field.attname for field in fields))

    def json(self, *rows: models.Model) -> str:
        """Decimals as text, so that PostgreSQL reads them exactly."""
        members = [dict(zip(self.names, self.values(row), strict=True)) for row in rows]
        return msgspec.json.encode(members).decode()


class _Write(NamedTuple):
    statement: str
    owed: _Columns
    sold: _Columns
    line: _Columns


@lru_cache(maxsize=1)
def _insert_sale() -> _Write:
    """Composed once from the models, so that a new column cannot be forgotten here.

    The key of the debt is taken first: a taken reference must not leave a debt without a sale.
    JSON, because adapting some hundred parameters costs Python more than parsing costs PostgreSQL.
    """
    owed = _Columns(Transmission, "content")
    sold = _Columns(Invoice, "transmission_id")
    line = _Columns(InvoiceLine, "invoice_id")
    selling, unsettled = (", ".join(f"'{one}'" for one in words) for words in (SELLING, OPEN))
    statement = f"""
        WITH key AS (
            SELECT nextval(pg_get_serial_sequence('outbox_transmission', 'id')) AS id
            FROM devices_device WHERE id = $1 AND state IN ({selling}) AND NOT EXISTS (
                SELECT FROM json_each_text($6::json) AS known(id, version)
                WHERE version IS DISTINCT FROM (
                    SELECT xmin::text FROM items_item WHERE items_item.id = known.id::bigint
                )
            )
        ), sold AS (
            INSERT INTO sales_invoice (transmission_id, {sold.list})
            SELECT (SELECT id FROM key), {sold.list}
            FROM json_populate_recordset(NULL::sales_invoice, $4::json)
            WHERE EXISTS (SELECT FROM key)
            ON CONFLICT (branch_id, reference) WHERE is_current DO NOTHING
            RETURNING id, transmission_id
        ), debt AS (
            INSERT INTO outbox_transmission (id, content, {owed.list})
            SELECT (SELECT transmission_id FROM sold), $2, {owed.list}
            FROM json_populate_recordset(NULL::outbox_transmission, $3::json)
            WHERE EXISTS (SELECT FROM sold)
        ), added AS (
            INSERT INTO sales_invoiceline (invoice_id, {line.list})
            SELECT (SELECT id FROM sold), {line.list}
            FROM json_populate_recordset(NULL::sales_invoiceline, $5::json)
            WHERE EXISTS (SELECT FROM sold)
        )
        SELECT transmission_id, id, (
            SELECT json_object_agg(item_id, kra_level::text)::text FROM items_stocklevel
            WHERE branch_id = $7
            AND item_id = ANY(ARRAY(SELECT json_object_keys($6::json)::bigint))
        ), NOT EXISTS (
            SELECT FROM outbox_transmission WHERE lane_id = $8 AND status IN ({unsettled})
        ) FROM sold
    """
    return _Write(statement, owed, sold, line)
