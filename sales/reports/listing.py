"""Each document of a period, one row each: what a VAT return's schedules are filled from.

Read by a server-side cursor inside one transaction, so that memory does not grow with the sales
and PgBouncer's transaction mode will do.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import F

from kra.times import NAIROBI
from outbox.models import Status
from sales.models import LETTERS, PUBLIC_STATUS

from .day import method_of
from .facts import sold_in
from .subject import Period, Subject
from .tables import Column, Table

CHUNK = 2000
LETTER_COLUMNS = [f"{name}_{letter.lower()}" for letter in LETTERS for name in ("taxable", "tax")]
FIELDS = [
    *("sold_at", "kind", "reference", "transmission__status", "receipt__scu_id"),
    *("receipt__receipt_number", "receipt__signed_at", "branch__code", "device__serial"),
    *("customer_pin", "customer_name", "payment_method", "total", *LETTER_COLUMNS),
]
COLUMNS = [
    *(Column(name) for name in ("Sold at", "Kind", "Reference", "Transmitted")),
    *(Column(name) for name in ("CU invoice number", "Signed at", "Branch", "Device")),
    *(Column(name) for name in ("Buyer PIN", "Buyer", "Payment")),
    Column("Total", "money"),
    *(Column(f"{n} {k}", "money") for k in LETTERS for n in ("Taxable", "Tax")),
]


def listing(subject: Subject, period: Period) -> Table:
    return Table("Documents", COLUMNS, _rows(subject, period))


def _rows(subject: Subject, period: Period) -> Iterator[list[Any]]:
    found = sold_in(subject, period).order_by("sold_at", F("id").asc()).values_list(*FIELDS)
    compiler = found.query.get_compiler(DEFAULT_DB_ALIAS)
    for row in compiler.results_iter(chunked_fetch=True, chunk_size=CHUNK):
        yield _cells(list(row))


def _cells(row: list[Any]) -> list[Any]:
    sold, kind, reference, status, unit, number, signed, *rest = row
    branch, device, pin, name, method, *amounts = rest
    # Credit notes are negative here, so that a column adds up.
    # The database gives two decimals; rounding again would cost half of the time.
    sign = -1 if kind == "credit_note" else 1
    return [
        _moment(sold), kind.replace("_", " "), reference, PUBLIC_STATUS[Status(status)],
        f"{unit}/{number}" if number else "", _moment(signed) if signed else "", branch, device,
        pin, name, method_of(method), *(str(sign * amount) for amount in amounts),
    ]  # fmt: skip


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(NAIROBI):%Y-%m-%d %H:%M:%S}"
