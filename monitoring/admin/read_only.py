"""The base of all pages: theme, tenancy, and nothing to change. Secrets are not merely hidden: they
are not read from the database.

A page of a model whose manager is a `TenantQuerySet` is scoped by company without further ado. A
model without one names the way to its company in `company_path`, or is the operator's alone; rows
that belong to nobody and that every member may see are `is_shared`.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NoReturn

import msgspec
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline

from companies.models import Company, TenantQuerySet
from core.crypto import EncryptedTextField
from monitoring.logs import explanation_of
from monitoring.roles import NOBODY, Access, Roles, access_of, sees

from .acting import Acting


class ReadOnly:
    """Nothing is added, changed or deleted. Each page lists the fields it shows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(ReadOnly, TabularInline):
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees the page sees the rows inside it."""
        return True


class CompanyFilter(admin.SimpleListFilter):
    """Shown to those who see several companies; lists no other."""

    title = "company"
    parameter_name = "company"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        access = access_of(request)
        rows = Company.objects.order_by("name")
        if not access.is_platform:
            rows = rows.filter(pk__in=access.companies(model_admin.seen_by()))
        return [(str(company.pk), str(company)) for company in rows.only("pk", "name", "pin")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None or not value.isdecimal():
            return queryset
        return queryset.filter(**{self._path: int(value[:18])})

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._path: str = model_admin.path_to_company()
        super().__init__(request, params, model, model_admin)


class ScopedAdmin(ModelAdmin):
    """The rows of the companies in which the person has a role, and no secret of theirs."""

    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    # Joined to every row; the encrypted fields of all of them are left out.
    related: tuple[str, ...] = ()
    never_read: tuple[str, ...] = ()
    company_path = ""
    is_shared = False

    def path_to_company(self) -> str:
        """The look-up of the company's id; empty when the rows belong to none."""
        if self.company_path:
            return self.company_path
        rows = self.model._default_manager.all()
        return rows.company_path if isinstance(rows, TenantQuerySet) else ""

    def seen_by(self) -> Roles:
        """The roles that see these rows (roles.py)."""
        is_owned = bool(self.path_to_company())
        if not is_owned and not self.is_shared:
            return NOBODY
        return sees(self.model._meta.label)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        secrets = [*self.never_read, *encrypted_fields(self.model, self.related)]
        rows: QuerySet[Any] = super().get_queryset(request).defer(*secrets)
        rows = self._scoped(rows, access_of(request))
        return rows.select_related(*self.related) if self.related else rows

    def _scoped(self, rows: QuerySet[Any], access: Access) -> QuerySet[Any]:
        path = self.path_to_company()
        if access.is_platform:
            return rows
        if path:
            return rows.filter(**{f"{path}__in": access.companies(self.seen_by())})
        return rows if access.may_anywhere(self.seen_by()) else rows.none()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        access, path = access_of(request), self.path_to_company()
        if obj is None or not path:
            return access.may_anywhere(self.seen_by())
        return access.may(self.seen_by(), company_id_of(obj, path))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_list_filter(self, request: HttpRequest) -> Any:
        given = super().get_list_filter(request)
        access = access_of(request)
        if self.path_to_company() in ("", "pk"):
            return given
        sees_several = access.is_platform or len(access.companies(self.seen_by())) > 1
        return [CompanyFilter, *given] if sees_several else given

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No question about a secret, not even one that is answered by a number of rows."""
        hidden = {*self.never_read, *encrypted_fields(self.model, self.related)}
        if any(lookup == name or lookup.startswith(f"{name}__") for name in hidden):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> NoReturn:
        """What is another company's is not there, in the same words as what never was."""
        raise Http404(f"There is no {opts.verbose_name} {object_id!r} here.")


class ReadOnlyAdmin(ReadOnly, Acting, ScopedAdmin):
    actions: Any = None


def company_id_of(obj: Any, path: str) -> int | None:
    """Follow a look-up such as `lane__device__company_id` on an object that was read."""
    for name in path.split("__"):
        obj = getattr(obj, name)
    found: int | None = obj
    return found


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
