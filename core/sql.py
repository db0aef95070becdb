"""Statements by hand, for what every request and every message runs: who asks, accept, deliver.

Composing the same SQL anew costs Django, and planning it anew costs PostgreSQL, more than running
it does (docs/adr/0009-prepared-statements.md). These are prepared on the server, once per
connection. Everything else uses the ORM. Parameters are written $1, $2, ….
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    models,
)
from django.db.backends.postgresql.psycopg_any import BaseTzLoader, get_adapters_template
from psycopg.pq import TransactionStatus

M = TypeVar("M", bound=models.Model)
Row = tuple[Any, ...]


def run(sql: str, params: Sequence[Any]) -> "psycopg.RawCursor[Row]":
    """Execute on Django's connection, in its transaction when there is one.

    Raises Django's database errors.
    """
    # Once: every use of Django's proxy looks the thread's connection up.
    mine = connections[DEFAULT_DB_ALIAS]
    mine.ensure_connection()
    with mine.wrap_database_errors, _one_round_trip(mine.connection):
        cursor = psycopg.RawCursor(mine.connection)
        # The text is one of our constants; every value is a parameter.
        return cursor.execute(sql, params, prepare=True)


def _one_round_trip(own: "psycopg.Connection[Row]") -> AbstractContextManager[object]:
    """BEGIN goes with a transaction's first statement, instead of a round trip before it."""
    is_first = not own.autocommit and own.info.transaction_status == TransactionStatus.IDLE
    return own.pipeline() if is_first else nullcontext()


def fetch_all(sql: str, params: Sequence[Any]) -> list[Row]:
    """The rows of a question. A connection that died since its last use is replaced, once."""
    try:
        return run(sql, params).fetchall()
    except (InterfaceError, OperationalError):
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return run(sql, params).fetchall()


def forget_plans() -> None:
    """Have the connection's statements planned anew, those that check foreign keys among them. What
    was planned for tables of ten rows reads the whole table for each of many thousand new ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("DISCARD PLANS")


class MomentLoader(BaseTzLoader):  # type: ignore[misc]
    """A timestamp as PostgreSQL writes it in UTC, read by Python's own parser: Django's takes seven
    times as long, and every row has several.
    """

    timezone = UTC

    def load(self, data: Any) -> Any:
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:
            # Beyond Python's calendar.
            return super().load(data)


def read_moments_fast() -> None:
    """For all connections that are opened from now on."""
    get_adapters_template(settings.USE_TZ, UTC).register_loader("timestamptz", MomentLoader)


def columns(model: type[models.Model], *but: str) -> tuple[list[str], str]:
    """The names that `model.from_db` wants, and the columns to select for them: all `but` some."""
    fields = [field for field in model._meta.concrete_fields if field.name not in but]
    table = model._meta.db_table
    return [f.attname for f in fields], ", ".join(f'{table}."{f.column}"' for f in fields)


def loaded(model: type[M], names: list[str], row: Sequence[Any]) -> M:
    return model.from_db("default", names, row)
