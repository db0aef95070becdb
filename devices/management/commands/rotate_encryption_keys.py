"""Encrypt every secret again under the newest key (settings.ENCRYPTION_KEYS, newest first).

Safe to run while the service works and to repeat after an interruption: a value is replaced only
while it is still what was read, and a value under the newest key stays as it is.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models
from django.db.models.functions import Cast

from core.crypto import EncryptedTextField, rotate


class Command(BaseCommand):
    help = "Encrypt all stored secrets under the newest key; afterwards the older keys may go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=200, help="rows read at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = 0
        for model, name in encrypted_columns():
            counts = rotate_column(model, name, batch=max(1, options["batch"]))
            unreadable += counts["unreadable"]
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            self.stdout.write(f"{model._meta.label}.{name}: {told}")
        if unreadable:
            raise CommandError(f"{unreadable} values fit no configured key: remove none of them.")


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name


def rotate_column(model: type[models.Model], name: str, *, batch: int) -> dict[str, int]:
    """Go through the table by primary key, a few rows at a time."""
    counts = {"rotated": 0, "current": 0, "empty": 0, "changed meanwhile": 0, "unreadable": 0}
    last: Any = None
    while rows := _read(model, name, after=last, batch=batch):
        for pk, token in rows:
            counts[_rotate(model, name, pk, token)] += 1
        last = rows[-1][0]
    return counts


def _read(
    model: type[models.Model], name: str, *, after: Any, batch: int
) -> list[tuple[Any, str | None]]:
    """Primary keys and what the column really holds: Cast keeps the field from decrypting it."""
    rows = model._base_manager.order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    stored = rows.annotate(stored=Cast(name, models.TextField()))
    return list(stored.values_list("pk", "stored")[:batch])


def _rotate(model: type[models.Model], name: str, pk: Any, token: str | None) -> str:
    if not token:
        return "empty"
    if _is_current(token):
        return "current"
    try:
        renewed = rotate(token)
    except InvalidToken:
        return "unreadable"
    return "rotated" if _replace(model, name, pk, token, renewed) else "changed meanwhile"


def _is_current(token: str) -> bool:
    try:
        Fernet(settings.ENCRYPTION_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _replace(model: type[models.Model], name: str, pk: Any, old: str, new: str) -> bool:
    """In SQL, because the ORM would encrypt what is encrypted already."""
    quote = connection.ops.quote_name
    field: Any = model._meta.get_field(name)
    primary: Any = model._meta.pk
    table, column = quote(model._meta.db_table), quote(field.column)
    key = quote(primary.column)
    with connection.cursor() as cursor:
        statement = f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s"
        cursor.execute(statement, [new, pk, old])
        return bool(cursor.rowcount)
