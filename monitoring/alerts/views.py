from datetime import datetime
from typing import Annotated, Any

import django_filters as filters
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Scope
from core.openapi import describe, page_of
from core.views import ListView
from monitoring.models import Alert, Severity

from . import channels
from .wording import NEXT_STEPS


class AlertOutput(Struct):
    id: int
    rule: Annotated[str, Meta(examples=["breaker_open"])]
    severity: Annotated[str, Meta(description="warning or critical.")]
    title: str
    company: Annotated[str | None, Meta(description="PIN; None: the installation.")]
    device: str | None
    since: Annotated[datetime, Meta(description="When the trouble began.")]
    opened_at: Annotated[datetime, Meta(description="When the watchdog found it.")]
    recovered_at: datetime | None
    next_step: str


class ChannelTest(Struct):
    channel: Annotated[str, Meta(examples=["email"])]
    told: bool
    reason: Annotated[str, Meta(description="Why not.")]


class ChannelTests(Struct):
    results: list[ChannelTest]


class AlertFilter(filters.FilterSet):
    open = filters.BooleanFilter(field_name="recovered_at", lookup_expr="isnull")
    severity = filters.ChoiceFilter(choices=Severity.choices)
    rule = filters.CharFilter(max_length=30)

    class Meta:
        model = Alert
        fields = ("open", "severity", "rule")


def alert_output(alert: Alert) -> AlertOutput:
    return AlertOutput(
        id=alert.pk,
        rule=alert.rule,
        severity=alert.severity,
        title=alert.title,
        company=alert.company.pin if alert.company else None,
        device=alert.device.serial if alert.device else None,
        since=alert.since,
        opened_at=alert.opened_at,
        recovered_at=alert.recovered_at,
        next_step=NEXT_STEPS.get(alert.rule, ""),
    )


class AlertListView(ListView):
    scopes = {"GET": Scope.REPORTS_READ}
    queryset = Alert.objects.none()  # for the schema; rows come from get_queryset
    filterset_class = AlertFilter

    def get_queryset(self) -> Any:
        token: Any = self.request.auth
        rows = Alert.objects.visible_to(token).select_related("company", "device")
        return rows.only(
            *("rule", "severity", "title", "since", "opened_at", "recovered_at"),
            *("company__pin", "device__serial"),
        )

    def output(self, row: Alert) -> AlertOutput:
        return alert_output(row)

    @describe(
        "What the watchdog found, newest first; the operator sees the installation's as well",
        answers={200: page_of(AlertOutput)},
        refusals=(400,),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class AlertTestView(APIView):
    scopes = {"POST": Scope.PLATFORM}

    @describe("Send a test message to every channel", answers={200: ChannelTests})
    def post(self, request: Request) -> Response:
        found = channels.test().items()
        return Response(ChannelTests([ChannelTest(name, not why, why) for name, why in found]))
