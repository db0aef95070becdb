from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.openapi import describe
from monitoring import health

NO_STORE = {"Cache-Control": "no-store"}


class OpenView(APIView):
    """For probes: no token, and no rate limit, which would need Redis."""

    authentication_classes: tuple[Any, ...] = ()
    permission_classes: tuple[Any, ...] = ()
    throttle_classes: tuple[Any, ...] = ()


class LiveView(OpenView):
    @describe("Does the process answer?", answers={200: health.Health}, auth=[])
    def get(self, request: Request) -> Response:
        return Response(health.alive(), headers=NO_STORE)


class ReadyView(OpenView):
    @describe(
        "Can this server accept sales, and is the rest of the installation well?",
        answers={200: health.Health, 503: health.Health},
        auth=[],
    )
    def get(self, request: Request) -> Response:
        report = health.report()
        status = 503 if report.status == health.FAILED else 200
        return Response(report, status=status, headers=NO_STORE)
