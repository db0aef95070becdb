from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Scope
from core.errors import NotFound
from core.openapi import describe, page_of
from core.views import ListView
from devices.models import Call

from . import health
from .dashboard import Dashboard, dashboard
from .filters import CallFilter
from .logs import LogDetail, LogOutput, log_detail, log_output

NO_STORE = {"Cache-Control": "no-store"}
# The device's serial is shown; its secrets are not even read.
SECRETS = ("device__key", "device__init_answer")


class OpenView(APIView):
    """For probes: no token, and no rate limit, which would need Redis."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class LiveView(OpenView):
    @describe("Does the process answer?", answers={200: health.Health}, is_open=True, auth=[])
    def get(self, request: Request) -> Response:
        return Response(health.alive(), headers=NO_STORE)


class ReadyView(OpenView):
    @describe(
        "Can this server accept sales, and is the rest of the installation well?",
        answers={200: health.Health, 503: health.Health},
        is_open=True,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        report = health.report()
        status = 503 if report.status == health.FAILED else 200
        return Response(report, status=status, headers=NO_STORE)


def visible_calls(request: Request) -> Any:
    token: Any = request.auth
    return Call.objects.visible_to(token).select_related("device").defer(*SECRETS)


class LogListView(ListView):
    scopes = {"GET": Scope.LOGS_READ}
    queryset = Call.objects.none()  # for the schema; rows come from get_queryset
    filterset_class = CallFilter

    def get_queryset(self) -> Any:
        return visible_calls(self.request).defer("request", "answer")

    def output(self, row: Call) -> LogOutput:
        return log_output(row)

    @describe(
        "Every exchange with KRA, newest first", answers={200: page_of(LogOutput)}, refusals=(400,)
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class LogView(APIView):
    scopes = {"GET": Scope.LOGS_READ}

    @describe(
        "One exchange, with what was sent and what came back",
        answers={200: LogDetail},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        call: Call | None = visible_calls(request).filter(pk=pk).first()
        if call is None:
            raise NotFound("There is no such exchange.")
        return Response(log_detail(call))


class DashboardView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}

    @describe(
        "Sales by state, lanes, latency, hosts and today's totals",
        answers={200: Dashboard},
        refusals=(404,),
        parameters=[
            OpenApiParameter("device", str, description="Only this device (serial)."),
            OpenApiParameter("branch", str, description="Only this branch (KRA's code)."),
        ],
    )
    def get(self, request: Request) -> Response:
        token: Any = request.auth
        asked = request.query_params
        figures = dashboard(
            token,
            serial=asked.get("device", ""),
            branch=asked.get("branch", ""),
            now=timezone.now(),
        )
        return Response(figures)
