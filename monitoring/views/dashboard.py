from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Scope
from core.openapi import describe
from monitoring.dashboard import Dashboard, dashboard

PARAMETERS = [
    OpenApiParameter("device", str, description="Only this device (serial)."),
    OpenApiParameter("branch", str, description="Only this branch (KRA's code)."),
]


class DashboardView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}

    @describe(
        "Sales by state, lanes, latency, hosts and today's totals",
        answers={200: Dashboard},
        refusals=(404,),
        parameters=PARAMETERS,
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        figures = dashboard(
            request.auth,
            serial=asked.get("device", ""),
            branch=asked.get("branch", ""),
            now=timezone.now(),
        )
        return Response(figures)
