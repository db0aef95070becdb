"""Pages to look at. Secrets are not merely hidden: they are not read from the database."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from core.crypto import EncryptedTextField
from monitoring.logs import explanation_of


class ReadOnly:
    """Nothing is added, changed or deleted. Each page lists the fields it shows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    actions: Any = None
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    # Joined to every row; the encrypted fields of all of them are left out.
    related: tuple[str, ...] = ()
    never_read: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        secrets = [*self.never_read, *encrypted_fields(self.model, self.related)]
        rows: QuerySet[Any] = super().get_queryset(request).defer(*secrets)
        return rows.select_related(*self.related) if self.related else rows


def encrypted_fields(model: type[Model], related: tuple[str, ...]) -> Iterator[str]:
    """Paths of all encrypted fields of a model and of what is joined to it."""
    yield from _encrypted(model, "")
    for path in related:
        current: Any = model
        prefix = ""
        for name in path.split("__"):
            current = current._meta.get_field(name).related_model
            prefix += f"{name}__"
            yield from _encrypted(current, prefix)


def _encrypted(model: type[Model], prefix: str) -> Iterator[str]:
    for field in model._meta.concrete_fields:
        if isinstance(field, EncryptedTextField):
            yield prefix + field.name


def cause_of(code: str, message: str = "") -> str:
    found = explanation_of(code, message)
    return f"{code}: {found.cause}" if found else ""


def next_step_of(code: str, message: str = "") -> str:
    found = explanation_of(code, message)
    return found.next_step if found else ""


def readable(text: str) -> str:
    """JSON with line breaks; anything else as it is."""
    with suppress(msgspec.DecodeError):
        text = msgspec.json.format(text, indent=2)
    return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)
