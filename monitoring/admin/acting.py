"""What stands on every page of one object: its trouble with the way out, the acts that are open to
this person, and what was done to it. The acts themselves are services (monitoring/acts).
"""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from msgspec import Struct

from core.errors import DomainError
from monitoring.acts import services
from monitoring.acts.catalogue import Act, Given, act_named, acts_of
from monitoring.acts.comparing import Compared
from monitoring.logs import explanation_of
from monitoring.models import AuditEvent
from monitoring.roles import DOES, access_of

MOST_AT_ONCE = 200
EVENTS_SHOWN = 20


class Trouble(Struct, frozen=True):
    """What happened and what a person does next, in both languages."""

    code: str
    label: str
    cause: str
    next_step: str
    next_step_sw: str = ""
    said: str = ""


def trouble_of(code: str, message: str = "") -> Trouble | None:
    """A code of KRA's or ours in words; `message` is what was said with it."""
    found = explanation_of(code, message)
    if found is None:
        return None
    return Trouble(code, found.label, found.cause, found.next_step, found.next_step_sw, message)


class Acting:
    """Mixed into the base of all pages."""

    model: Any
    admin_site: Any
    change_form_template = "monitoring/admin/change_form.html"

    def trouble(self, obj: Any) -> Trouble | None:
        """What is wrong with it, from the catalogue of codes."""
        return None

    def compared(self, obj: Any) -> list[Compared]:
        """Both sides, where they disagree."""
        return []

    def ways(self, request: HttpRequest, obj: Any) -> list[tuple[str, str]]:
        """Other pages on which its trouble is settled: a label and an address each."""
        return []

    def get_urls(self) -> list[Any]:
        own = path(
            "<path:object_id>/act/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=self._url_name("act"),
        )
        return [own, *super().get_urls()]  # type: ignore[misc]

    def _url_name(self, what: str) -> str:
        return f"{self.model._meta.app_label}_{self.model._meta.model_name}_{what}"

    def _address(self, what: str, *args: Any) -> str:
        return reverse(f"admin:{self._url_name(what)}", args=args)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)  # type: ignore[attr-defined]
        context = extra_context or {}
        if obj is not None and request.method == "GET":
            context |= {
                "trouble": self.trouble(obj),
                "compared": self.compared(obj),
                "acts": [
                    (act, self._address("act", obj.pk, act.name), act.needs_second(obj))
                    for act in self.open_acts(request, obj)
                ],
                "ways": self.ways(request, obj),
                "events": self.events(request, obj),
            }
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc, no-any-return]

    def open_acts(self, request: HttpRequest, obj: Any) -> list[Act]:
        acts = acts_of(self.model._meta.label)
        return [
            act
            for act in acts
            if services.may(request.user, act.name, obj) and act.is_possible(obj)
        ]

    def events(self, request: HttpRequest, obj: Model) -> list[AuditEvent]:
        """The latest, for those who read the audit."""
        page = self.admin_site._registry.get(AuditEvent)
        if page is None or not page.has_view_permission(request):
            return []
        rows = page.get_queryset(request).about(obj._meta.label, obj.pk)
        return list(rows.order_by("-pk")[:EVENTS_SHOWN])

    # --- One act on one object -------------------------------------------------------------------
    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask for the reason and what else is needed; then do it, or ask a second person."""
        seen = self.get_object(request, object_id)  # type: ignore[attr-defined]
        act = act_named(self.model._meta.label, name)
        if seen is None or act is None:
            raise Http404("There is no such thing to do here.")
        if not services.may(request.user, name, seen):
            raise PermissionDenied
        # The page's own copy leaves secrets out; the services want the whole row.
        obj = self.model._default_manager.get(pk=seen.pk)
        if request.method == "POST":
            return self._submit(request, act, obj)
        if not act.is_possible(obj):
            messages.warning(request, f"“{act.label}” is not possible in its present state.")
            return HttpResponseRedirect(self._address("change", obj.pk))
        start = act.start_value(obj) if act.start_value else ""
        return self._page(request, act, obj, {"value": start, "key": str(uuid.uuid4())})

    def _submit(self, request: HttpRequest, act: Act, obj: Any) -> HttpResponse:
        text, reason = request.POST.get("value", ""), request.POST.get("reason", "").strip()
        try:
            values = act.asks.read(text) if act.asks else {}
            given = Given(request.user.get_username(), reason[:400], values)
            if act.needs_second(obj):
                services.ask(act, obj, given, user=request.user)
                said = "A second person was asked; it waits under “Action requests”."
            else:
                key = _key_of(request.POST.get("key", ""))
                said = services.perform(act, obj, given, user=request.user, key=key)
        except DomainError as error:
            # A refused form is a new one: it may be sent again after a change.
            kept = {"value": text, "reason": reason, "error": error, "key": str(uuid.uuid4())}
            return self._page(request, act, obj, kept, status=error.status)
        messages.success(request, said)
        is_there = self.model._default_manager.filter(pk=obj.pk).exists()
        where = self._address("change", obj.pk) if is_there else self._address("changelist")
        return HttpResponseRedirect(where)

    def _page(
        self, request: HttpRequest, act: Act, obj: Any, kept: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **kept,
            "title": f"{act.label}: {obj}",
            "opts": self.model._meta,
            "original": obj,
            "act": act,
            "needs_second": act.needs_second(obj),
            "compared": act.compare(obj) if act.compare else [],
            "back": self._address("change", obj.pk),
        }
        return TemplateResponse(request, "monitoring/admin/act.html", context, status=status)

    # --- Trying many again -----------------------------------------------------------------------
    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        retry = act_named(self.model._meta.label, "retry")
        if retry is not None and access_of(request).may_anywhere(DOES["retry"]):
            actions["retry_selected"] = (retry_selected, "retry_selected", retry.label)
        return actions


def retry_selected(page: Any, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Each by itself: what cannot be retried does not stop the others."""
    act = act_named(page.model._meta.label, "retry")
    if act is None:
        return
    done, refused = 0, []
    ids = list(rows.values_list("pk", flat=True)[:MOST_AT_ONCE])
    for obj in page.model._default_manager.filter(pk__in=ids):
        try:
            services.perform(act, obj, Given(request.user.get_username(), ""), user=request.user)
            done += 1
        except DomainError as error:
            refused.append(f"{obj}: {error.message}")
    if done:
        messages.success(request, f"{done} are due now.")
    for text in refused[:10]:
        messages.warning(request, text)
    if len(refused) > 10:
        messages.warning(request, f"And {len(refused) - 10} more were refused.")


def _key_of(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def link_to(label: str, pk: Any, text: str) -> str:
    """To an object's own page, where there is one."""
    app, _, model = label.partition(".")
    address = reverse(f"admin:{app}_{model.lower()}_change", args=[pk])
    return format_html('<a class="etims-link" href="{}">{}</a>', address, text)
