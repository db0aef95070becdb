"""The inbox of the second person, and the record of what people and tokens did."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html

from core.errors import DomainError
from monitoring.acts import services
from monitoring.acts.catalogue import act_named
from monitoring.acts.comparing import Compared
from monitoring.models import ActionRequest, AuditEvent

from .acting import link_to
from .read_only import ReadOnlyAdmin

State = ActionRequest.State
NEXT_STEPS: dict[str, str] = {
    State.REQUESTED: "Another person opens it and agrees or rejects.",
    State.APPROVED: "The process died while it acted. Look at the object, then ask anew.",
    State.FAILED: "Read the outcome, settle its cause, then ask anew.",
    State.EXPIRED: "Nobody decided in time. Ask anew.",
}


class WaitingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), *((value, value) for value in State.values[1:])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value, now = self.value(), timezone.now()
        if value == "waiting":
            return queryset.filter(state=State.REQUESTED, expires_at__gt=now)
        if value == State.EXPIRED:
            late = queryset.filter(state=State.REQUESTED, expires_at__lte=now)
            return late | queryset.filter(state=State.EXPIRED)
        return queryset.filter(state=value) if value in State.values else queryset


@admin.register(ActionRequest)
class ActionRequestAdmin(ReadOnlyAdmin):
    related = ("company", "requested_by", "decided_by")
    list_display = (
        *("requested_at", "act", "object_text", "decide", "state_word", "requested_by", "reason"),
        *("company", "decided_by", "expires_at", "outcome", "next_step"),
    )
    list_filter = (WaitingFilter, "act", "requested_at")
    search_fields = ("object_text", "reason", "=requested_by__username", "=company__pin")
    fields = (
        *("act", "target", "company", "requested_by", "requested_at", "reason", "values"),
        *("both_sides", "state_word", "next_step", "expires_at", "decided_by", "decided_at"),
        *("finished_at", "outcome", "decide"),
    )
    readonly_fields = ("target", "state_word", "next_step", "both_sides", "decide")

    def get_list_display(self, request: HttpRequest) -> Any:
        self_decides = format_html("{}", "")

        def decide(asked: ActionRequest) -> str:
            if services.state_of(asked) != State.REQUESTED:
                return self_decides
            if not services.may_decide(request.user, asked):
                return self_decides
            address = self._address("decide", asked.pk)
            return format_html('<a class="etims-button" href="{}">Decide</a>', address)

        decide.short_description = "your part"  # type: ignore[attr-defined]
        names = super().get_list_display(request)
        return [decide if name == "decide" else name for name in names]

    @admin.display(description="state")
    def state_word(self, asked: ActionRequest) -> str:
        return services.state_of(asked)

    @admin.display(description="next step")
    def next_step(self, asked: ActionRequest) -> str:
        return NEXT_STEPS.get(services.state_of(asked), "")

    @admin.display(description="about")
    def target(self, asked: ActionRequest) -> str:
        return link_to(asked.model, asked.object_id, asked.object_text)

    @admin.display(description="both sides when it was asked")
    def both_sides(self, asked: ActionRequest) -> str:
        return "; ".join(f"{name}: {ours} / {kra}" for name, ours, kra in asked.seen) or "-"

    @admin.display(description="decide")
    def decide(self, asked: ActionRequest) -> str:
        if services.state_of(asked) != State.REQUESTED:
            return "Decided."
        address = self._address("decide", asked.pk)
        return format_html('<a class="etims-button" href="{}">Agree or reject</a>', address)

    def get_urls(self) -> list[Any]:
        own = path(
            "<int:pk>/decide/",
            self.admin_site.admin_view(self.decide_view),
            name=self._url_name("decide"),
        )
        return [own, *super().get_urls()]

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        asked = self.get_object(request, str(pk))
        if asked is None:
            raise Http404("There is no such request.")
        error = None
        if request.method == "POST":
            try:
                messages.success(request, _decided(request, asked.pk))
                return HttpResponseRedirect(self._address("change", pk))
            except DomainError as refusal:
                error = refusal
                asked.refresh_from_db()
        return self._decision_page(request, asked, error)

    def _decision_page(
        self, request: HttpRequest, asked: ActionRequest, error: DomainError | None
    ) -> HttpResponse:
        act = act_named(asked.model, asked.act)
        target = self._object_of(request, asked)
        compared: list[Compared] = []
        if act is not None and act.compare is not None and target is not None:
            compared = act.compare(target)
        state = services.state_of(asked)
        context = {
            "is_open": state == State.REQUESTED,
            "may_decide": services.may_decide(request.user, asked),
            "state": state,
            "next_step": NEXT_STEPS.get(state, ""),
            **self.admin_site.each_context(request),
            "title": f"Decide: {asked}",
            "opts": self.model._meta,
            "original": asked,
            "asked": asked,
            "act": act,
            "target": link_to(asked.model, asked.object_id, asked.object_text),
            "given": json.dumps(asked.values, indent=2, ensure_ascii=False) if asked.values else "",
            "compared": compared,
            "error": error,
            "reason": request.POST.get("reason", ""),
            "back": self._address("changelist"),
        }
        status = error.status if error else 200
        return TemplateResponse(request, "monitoring/admin/decide.html", context, status=status)

    def _object_of(self, request: HttpRequest, asked: ActionRequest) -> Any:
        pages = {model._meta.label: page for model, page in self.admin_site._registry.items()}
        page = pages.get(asked.model)
        return page.get_object(request, str(asked.object_id)) if page else None


def _decided(request: HttpRequest, pk: int) -> str:
    reason = request.POST.get("reason", "").strip()[:400]
    if request.POST.get("decision") == "approve":
        return services.approve(pk, user=request.user, reason=reason)
    services.reject(pk, user=request.user, reason=reason)
    return "It is rejected; nothing was done."


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    related = ("company",)
    never_read = ("key",)
    list_display = (
        *("at", "actor", "actor_kind", "act", "stage", "about", "company", "reason", "detail"),
    )
    list_filter = ("stage", "act", "actor_kind", "at")
    search_fields = ("=actor", "object_text", "=object_id", "reason", "=request_id")
    search_help_text = "Actor, id or request id exactly; part of the object or the reason"
    fields = (
        *("at", "company", "actor_kind", "actor", "act", "stage", "about", "model", "object_id"),
        *("reason", "detail", "request_id"),
    )
    readonly_fields = ("about",)

    @admin.display(ordering="object_text")
    def about(self, event: AuditEvent) -> str:
        return event.object_text
