from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.models import Scope
from core.errors import NotFound
from core.openapi import describe, page_of
from core.views import ListView
from devices.models import Call
from monitoring.filters import CallFilter
from monitoring.logs import LogDetail, LogOutput, log_detail, log_output

# The device's serial is shown; its secrets are not even read.
SECRETS = ("device__key", "device__init_answer")


def visible_calls(request: Request) -> Any:
    calls: Any = Call.objects.visible_to(request.auth).select_related("device")
    return calls.defer(*SECRETS)


class LogListView(ListView):
    scopes = {"GET": Scope.LOGS_READ}
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
