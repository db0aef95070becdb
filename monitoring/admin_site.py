"""Who comes into the admin: staff, with a second factor where settings.ADMIN_TWO_FACTOR asks."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from two_factor.utils import default_device
from unfold.sites import UnfoldAdminSite

from monitoring.acts.services import may_decide, open_requests
from monitoring.page import figures

ORDER = {
    name: place
    for place, name in enumerate(
        ("sales", "monitoring", "devices", "outbox", "items", "purchases", "companies", "auth")
    )
}


class Site(UnfoldAdminSite):
    site_title = site_header = "eTIMS integration"
    index_title = "What is going on"
    index_template = "monitoring/admin/index.html"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Also for other pages of people: `admin.site.has_permission(request)` decides there."""
        if not super().has_permission(request):
            return False
        return not settings.ADMIN_TWO_FACTOR or is_verified(request.user)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What people come for first; not by the alphabet."""
        apps: list[Any] = super().get_app_list(request, app_label)
        last = len(ORDER)
        return sorted(apps, key=lambda app: ORDER.get(app["app_label"], last))

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        waiting = [one for one in open_requests() if may_decide(request.user, one)]
        if waiting:
            where = reverse("admin:monitoring_actionrequest_changelist")
            link = format_html('<a class="etims-link" href="{}?state=waiting">', where)
            text = format_html("{}{} waiting for your decision</a>.", link, len(waiting))
            messages.info(request, text)
        overview = figures.overview(figures.scope_of(request.user), timezone.now())
        shown = {"overview": overview, **(extra_context or {})}
        answer: TemplateResponse = super().index(request, shown)
        return answer

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one page to sign in, and it asks for the second factor as well."""
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
            wanted = settings.LOGIN_REDIRECT_URL
        if self.has_permission(request):
            return redirect(wanted)
        if super().has_permission(request) and default_device(request.user) is None:
            return redirect("two_factor:setup")
        return redirect_to_login(wanted)


def is_verified(user: Any) -> bool:
    """Whether this session has shown the second factor (django_otp's middleware says so)."""
    asked = getattr(user, "is_verified", None)
    return asked is not None and bool(asked())
