"""Compare books, look at what differs, and settle it."""

import re
import time
from datetime import date, timedelta
from typing import Any

import django_filters as filters
from django.db.models import Count, Q
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from core.api import decode
from core.errors import Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView
from kra.times import NAIROBI
from sales.errors import NotReady
from sales.models import Difference, Reconciliation
from sales.views import AnyAccept, selling_device

from . import resolving, runs
from .outputs import (
    RUN_EXAMPLE,
    DifferenceOutput,
    ExplainInput,
    RunDetail,
    RunInput,
    RunOutput,
)
from .report import Month, as_csv, month_report

MOST_DAYS = 31
WAIT_DEFAULT_S = 10
PAGE = 200


def visible_runs(request: Request) -> Any:
    found: Any = Reconciliation.objects.visible_to(token_of(request))
    is_open = Q(differences__state=Difference.State.OPEN)
    rows = found.select_related("device").prefetch_related("days")
    return rows.defer("device__key", "device__init_answer").annotate(
        open_cases=Count("differences", filter=is_open)
    )


def visible_run(request: Request, pk: int) -> Reconciliation:
    run: Reconciliation | None = visible_runs(request).filter(pk=pk).first()
    if run is None:
        raise NotFound("There is no such reconciliation.")
    return run


def visible_case(request: Request, pk: int, number: int) -> Difference:
    cases: Any = Difference.objects.visible_to(token_of(request))
    case: Difference | None = cases.shown().filter(run=pk, number=number).first()
    if case is None:
        raise NotFound(f"The reconciliation has no difference about number {number}.")
    return case


def check_period(data: RunInput) -> tuple[date, date]:
    """Raises Invalid."""
    first, last = data.first, data.last or data.first
    today = timezone.now().astimezone(NAIROBI).date()
    problems = []
    if last < first:
        problems.append(Problem("to", "It lies before `from`.", "Swap the two days."))
    elif last - first >= timedelta(days=MOST_DAYS):
        problems.append(Problem("to", "These are more than 31 days.", "Ask month by month."))
    if last > today:
        problems.append(Problem("to", "That day has not come yet.", f"Name {today} or earlier."))
    if problems:
        raise Invalid("The period cannot be compared.", problems=problems)
    return first, last


class RunFilter(filters.FilterSet):
    device = filters.CharFilter(field_name="device__serial")
    day = filters.DateFilter(method="by_day", label="Runs that compared this day.")

    class Meta:
        model = Reconciliation
        fields = ["verdict"]

    def by_day(self, queryset: Any, name: str, value: date) -> Any:
        return queryset.filter(first_day__lte=value, last_day__gte=value)


class ReconciliationListView(ListView):
    scopes = {"GET": Scope.REPORTS_READ, "POST": (Scope.REPORTS_READ, Scope.SALES_WRITE)}
    queryset = Reconciliation.objects.none()
    filterset_class = RunFilter

    def get_queryset(self) -> Any:
        return visible_runs(self.request)

    def output(self, row: Reconciliation) -> RunOutput:
        return RunOutput.of(row)

    @describe("Comparisons with KRA's books, newest first", answers={200: page_of(RunOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Compare our books with KRA's: 201 done, 202 it goes on by itself",
        request=RunInput,
        answers={201: RunOutput, 202: RunOutput},
        refusals=(400, 404, 409),
        examples=[RUN_EXAMPLE],
        parameters=[prefer("work on it for up to N seconds (0–30, default 10)")],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, RunInput)
        first, last = check_period(data)
        device = selling_device(request, data.device)
        if not device.key:
            raise NotReady(f"Device {device.serial!r} was never initialised.")
        run = runs.start(device, first, last, by=str(token_of(request))[:150])
        seconds = wait_seconds(request, default=WAIT_DEFAULT_S)
        runs.advance(run.pk, until=time.monotonic() + seconds)
        output = RunOutput.of(visible_run(request, run.pk))
        return Response(
            output,
            status=201 if output.finished_at else 202,
            headers={"Location": f"/api/reconciliations/{run.pk}/"},
        )


class ReconciliationView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}

    @describe(
        "One comparison with its differences, by number",
        answers={200: RunDetail},
        refusals=(400, 404),
        parameters=[
            OpenApiParameter("after", int, description="Only differences behind this number."),
            OpenApiParameter("state", str, enum=["open", "resolved"]),
        ],
    )
    def get(self, request: Request, pk: int) -> Response:
        run = visible_run(request, pk)
        cases: Any = Difference.objects.filter(run=run, number__gt=_after(request))
        cases = cases.shown()
        if state := request.query_params.get("state"):
            cases = cases.filter(state=state)
        found = list(cases.order_by("number")[: PAGE + 1])
        shown = found[:PAGE]
        more = shown[-1].number if len(found) > PAGE else None
        rows = [DifferenceOutput.of(case) for case in shown]
        return Response(RunDetail(RunOutput.of(run), rows, more))


def _after(request: Request) -> int:
    text = request.query_params.get("after", "0")
    if not re.fullmatch("[0-9]{1,18}", text):
        problem = Problem("after", "It is no fiscal number.", "Take `next_after` of an answer.")
        raise Invalid("The request is not valid.", problems=[problem])
    return int(text)


class LookAgainView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Ask KRA about this number once more; closed when both sides agree now",
        answers={200: DifferenceOutput},
        refusals=(404, 409, 502),
    )
    def post(self, request: Request, pk: int, number: int) -> Response:
        case = visible_case(request, pk, number)
        done = resolving.look_again(case, by=str(token_of(request)))
        return Response(DifferenceOutput.of(done))


class AdoptView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Give a waiting sale of ours the signature KRA provably holds for it; nothing is sent",
        answers={200: DifferenceOutput},
        refusals=(404, 409, 502),
    )
    def post(self, request: Request, pk: int, number: int) -> Response:
        case = visible_case(request, pk, number)
        return Response(DifferenceOutput.of(resolving.adopt(case, by=str(token_of(request)))))


class ExplainView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Accept a difference for a reason; later comparisons know it",
        request=ExplainInput,
        answers={200: DifferenceOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, pk: int, number: int) -> Response:
        data = decode(request, ExplainInput)
        if len(data.reason.strip()) < 3:
            problem = Problem("reason", "It says nothing.", "Say why the difference is right.")
            raise Invalid("The request is not valid.", problems=[problem])
        case = visible_case(request, pk, number)
        done = resolving.explain(case, reason=data.reason.strip(), by=str(token_of(request)))
        return Response(DifferenceOutput.of(done))


def month_of(request: Request) -> date:
    """The first day of `?month=`; without it, of the month that has just ended."""
    text = request.query_params.get("month")
    if text is None:
        today = timezone.now().astimezone(NAIROBI).date()
        return (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        problem = Problem("month", f"{text[:20]!r} is no month.", "Write it like 2026-11.")
        raise Invalid("Which month?", problems=[problem])
    return date(int(text[:4]), int(text[5:]), 1)


class MonthView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}
    content_negotiation_class = AnyAccept

    @describe(
        'Month end: "matches KRA" per company and device, as JSON or CSV',
        answers={200: Month, (200, "text/csv"): {"type": "string"}},  # type: ignore[dict-item]
        refusals=(400,),
        parameters=[
            OpenApiParameter("month", str, description="Such as 2026-11; default: the last one."),
            OpenApiParameter("format", str, enum=["json", "csv"]),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        first = month_of(request)
        month = month_report(token_of(request), first, now=timezone.now())
        if not _wants_csv(request):
            return Response(month)
        response = HttpResponse(as_csv(month), content_type="text/csv; charset=utf-8")
        name = f"matches-kra-{month.month}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _wants_csv(request: Request) -> bool:
    wanted = request.query_params.get("format")
    if wanted is None:
        return request.headers.get("Accept", "").startswith("text/csv")
    if wanted not in ("json", "csv"):
        problem = Problem("format", f"{wanted[:20]!r} is not known.", "Ask for json or csv.")
        raise Invalid("Which format?", problems=[problem])
    return wanted == "csv"
