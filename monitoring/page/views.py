from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from monitoring.admin_site import is_verified
from monitoring.alerts.wording import NEXT_STEPS
from monitoring.lanes import age

from . import charts, figures
from .figures import Scope, scope_of

HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
SIGN_IN = "/dashboard/login/"


class SignOutView(LogoutView):
    next_page = SIGN_IN


class SignInView(LoginView):
    """For members who are no staff: the admin's own page lets only staff in."""

    template_name = "monitoring/sign_in.html"
    next_page = "/dashboard/"
    redirect_authenticated_user = False


def lacks_second_factor(user: Any) -> bool:
    """Where staff must show one, a password alone opens this page for them neither."""
    if not settings.ADMIN_TWO_FACTOR or not (user.is_staff or user.is_superuser):
        return False
    return not is_verified(user)


class DashboardPage(View):
    template = "monitoring/dashboard.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        if not user.is_authenticated:
            return redirect_to_login("/dashboard/", SIGN_IN)
        if lacks_second_factor(user):
            return redirect_to_login("/dashboard/", settings.LOGIN_URL)
        asked = {name: str(value) for name, value in request.GET.items()}
        shown = context(scope_of(user), asked)
        response = render(request, self.template, shown)
        for name, value in HEADERS.items():
            response[name] = value
        return response


class DashboardFragment(DashboardPage):
    """What changes: fetched again and again by dashboard.js."""

    template = "monitoring/dashboard_live.html"


def context(scope: Scope, asked: dict[str, str]) -> dict[str, Any]:
    now = timezone.now()
    overview = figures.overview(scope, now)
    hours = figures.hours(scope, now)
    return {
        "now": now,
        "overview": overview,
        "waiting": sum(overview.waiting.values()),
        "worst": [(lane, age(lane.due, now)) for lane in overview.worst],
        "hours": hours,
        "hourly": list(zip(*_columns(hours), strict=True)),
        "success_chart": charts.bars(
            "Sales signed, refused and unanswered per hour",
            hours.labels,
            {"signed": hours.signed, "refused": hours.refused, "unanswered": hours.unanswered},
        ),
        "latency_chart": charts.lines(
            "Milliseconds that KRA took per hour",
            hours.labels,
            {"p50": hours.p50, "p95": hours.p95, "p99": hours.p99},
        ),
        "today": figures.today(scope, now),
        "held": figures.held(scope),
        "alerts": [(alert, NEXT_STEPS.get(alert.rule, "")) for alert in figures.alerts(scope)],
        "devices": figures.device_page(scope, asked, now),
        "asked": asked,
        "has_no_company": scope.companies == (),
    }


def _columns(hours: figures.Hours) -> list[list[Any]]:
    return [
        *(hours.labels, hours.signed, hours.refused, hours.unanswered),
        *(hours.p50, hours.p95, hours.p99),
    ]
