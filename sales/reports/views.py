"""X, Z, PLU, VAT and payment methods, as JSON, CSV, XLSX or PDF."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

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
from core.money import ZERO, round_cents
from core.openapi import describe, page_of
from core.views import ListView
from sales.errors import NotReady
from sales.models import ZReport
from sales.views import AnyAccept, selling_device

from . import sheets
from .closing import close_day
from .csv_format import csv_pieces
from .day import DayReport, Frame, build, read_content, uncounted
from .facts import snapshot
from .formats import FILES, FORMAT, FORMATS, streamed, wanted_format, written
from .head import head_of
from .listing import listing
from .outputs import Z_EXAMPLE, ZInput, ZSummary
from .payments import PaymentReport, payment_report
from .plu import PluReport, plu_report
from .subject import Period, Subject, day_of, find_subject, of_device, read_period
from .tables import Sheet
from .vat import VatReport, vat_report

MOST_MONEY = Decimal(10) ** 15
WHOSE = [
    OpenApiParameter("device", str, description="Serial; default: all that the token sees."),
    OpenApiParameter("branch", str, description="Code of a branch."),
    OpenApiParameter("company", str, description="PIN; only the operator needs it."),
]
DAYS = [
    OpenApiParameter("from", str, description="First day of sale in Nairobi; default: `to`."),
    OpenApiParameter("to", str, description="Last day, at most a year on; default: today."),
]
DOCUMENTS = OpenApiParameter(
    "documents", bool, description="With each document on a row; for csv and xlsx."
)
DEPOSIT = OpenApiParameter("opening_deposit", str, description="Shown in the report.")


def deposit_of(value: Decimal | str | None) -> Decimal:
    """Raises Invalid."""
    try:
        amount = Decimal(value or ZERO)
        if 0 <= amount < MOST_MONEY and amount == round_cents(amount):
            return amount
    except InvalidOperation:
        pass
    problem = Problem(
        "opening_deposit", "It is no amount of money.", "Send shillings such as 5000.00."
    )
    raise Invalid("The request is not valid.", problems=[problem])


class PeriodView(APIView):
    """A report over days: `make` counts, `draw` lays it out."""

    scopes: dict[str, Any] = {"GET": Scope.REPORTS_READ}
    content_negotiation_class = AnyAccept
    name: str
    make: Callable[[Subject, Period, Any], Any]
    draw: Callable[[Any], Sheet]

    def answer(self, request: Request) -> Any:
        form = wanted_format(request)
        subject, period = self._asked(request)
        with snapshot():
            report = self.count(subject, period)
        if form == "json":
            return Response(report)
        return written(type(self).draw(report), form)

    def _asked(self, request: Request) -> tuple[Subject, Period]:
        named = request.query_params
        period = read_period(named, today=day_of(timezone.now()))
        return find_subject(token_of(request), named), period

    def count(self, subject: Subject, period: Period) -> Any:
        head = head_of(self.name, subject, period, timezone.now())
        return type(self).make(subject, period, head)


REFUSALS = (400, 404, 406)


class PluView(PeriodView):
    name, make, draw = "plu", staticmethod(plu_report), staticmethod(sheets.plu_sheet)

    @describe(
        "What was sold, per item, and the stock left",
        answers={200: PluReport, **FILES},
        refusals=REFUSALS,
        parameters=[*WHOSE, *DAYS, FORMAT],
    )
    def get(self, request: Request) -> Any:
        return self.answer(request)


class PaymentsView(PeriodView):
    name, make, draw = "payments", staticmethod(payment_report), staticmethod(sheets.payment_sheet)

    @describe(
        "Payment methods, per device",
        answers={200: PaymentReport, **FILES},
        refusals=REFUSALS,
        parameters=[*WHOSE, *DAYS, FORMAT],
    )
    def get(self, request: Request) -> Any:
        return self.answer(request)


class VatView(PeriodView):
    name, make, draw = "vat", staticmethod(vat_report), staticmethod(sheets.vat_sheet)

    @describe(
        "The figures of a VAT return: output tax by letter and rate, purchases confirmed",
        answers={200: VatReport, **FILES},
        refusals=REFUSALS,
        parameters=[*WHOSE, *DAYS, FORMAT, DOCUMENTS],
    )
    def get(self, request: Request) -> Any:
        if not _is_true(request, "documents"):
            return self.answer(request)
        form = wanted_format(request)
        if form not in ("csv", "xlsx"):
            step = "Ask for csv or xlsx; GET /api/invoices/ has them page by page."
            problem = Problem("documents", f"Not in {form}.", step)
            raise Invalid("The request is not valid.", problems=[problem])
        return self._with_documents(*self._asked(request), form)

    def _with_documents(self, subject: Subject, period: Period, form: str) -> Any:
        if form == "xlsx":
            with snapshot():
                return written(self._long_sheet(subject, period), form)
        name = f"vat-documents-{period.first}-{period.last}"
        return streamed(self._pieces(subject, period), name)

    def _pieces(self, subject: Subject, period: Period) -> Iterator[bytes]:
        """The snapshot stays open while the rows go out: sums and rows agree."""
        with snapshot():
            yield from csv_pieces(self._long_sheet(subject, period))

    def _long_sheet(self, subject: Subject, period: Period) -> Sheet:
        sheet = sheets.vat_sheet(self.count(subject, period))
        return replace(sheet, tables=[*sheet.tables, listing(subject, period)])


def _is_true(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        problem = Problem(name, "It is neither true nor false.", "Send true, or leave it out.")
        raise Invalid("The request is not valid.", problems=[problem])
    return text in ("true", "1")


class XView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}
    content_negotiation_class = AnyAccept

    @describe(
        "X: what is signed and in no Z yet. Nothing is reset",
        answers={200: DayReport, **FILES},
        refusals=REFUSALS,
        parameters=[*WHOSE, DEPOSIT, FORMAT],
    )
    def get(self, request: Request) -> Any:
        form = wanted_format(request)
        deposit = deposit_of(request.query_params.get("opening_deposit"))
        subject = find_subject(token_of(request), request.query_params)
        if len(subject.devices) == 1:
            # A report of one device is that device's, however it was asked for.
            subject = of_device(subject.devices[0])
        now = timezone.now()
        with snapshot():
            frame = Frame("X", day_of(now), now, str(token_of(request)), deposit)
            report = build(subject, frame, uncounted(subject.devices, frame.until))
        return _day_answer(report, form)


def _day_answer(report: DayReport, form: str) -> Any:
    return Response(report) if form == "json" else written(sheets.day_sheet(report), form)


def z_response(z: ZReport, form: str, status: int = 200) -> Any:
    """Drawn from the frozen content alone; as JSON it is that content, byte for byte."""
    report = read_content(z)
    if form != "json":
        return written(sheets.day_sheet(report), form)
    response = HttpResponse(z.content.encode(), content_type=FORMATS["json"], status=status)
    response["ETag"] = f'"{z.sha256}"'
    return response


def visible_zs(request: Request) -> Any:
    zs: Any = ZReport.objects.visible_to(token_of(request))
    return zs.select_related("device", "branch").defer("device__key", "device__init_answer")


class ZListView(ListView):
    scopes = {"GET": Scope.REPORTS_READ, "POST": Scope.REPORTS_WRITE}
    queryset = ZReport.objects.none()

    def get_queryset(self) -> Any:
        named = self.request.query_params
        found = visible_zs(self.request)
        if any(named.get(p.name) for p in WHOSE):
            found = found.filter(device__in=find_subject(token_of(self.request), named).devices)
        if named.get("from") or named.get("to"):
            period = read_period(named, today=day_of(timezone.now()))
            found = found.filter(day__range=(period.first, period.last))
        return found

    def output(self, row: ZReport) -> ZSummary:
        return ZSummary.of(row)

    @describe(
        "Z reports, newest first",
        answers={200: page_of(ZSummary)},
        refusals=(400, 404),
        parameters=[*WHOSE, *DAYS],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Close a day: count it in a Z report, numbered and final",
        request=ZInput,
        answers={201: DayReport},
        refusals=(400, 404, 409),
        examples=[Z_EXAMPLE],
    )
    def post(self, request: Request) -> Any:
        data = decode(request, ZInput)
        deposit = deposit_of(data.opening_deposit)
        device = selling_device(request, data.device)
        if not device.key:
            raise NotReady(f"Device {device.serial!r} was never initialised.")
        by = str(token_of(request))
        z = close_day(device, day=data.day, opening_deposit=deposit, by=by)
        response = z_response(z, "json", status=201)
        response["Location"] = f"/api/reports/z/{z.pk}/"
        return response


class ZView(APIView):
    scopes = {"GET": Scope.REPORTS_READ}
    content_negotiation_class = AnyAccept

    @describe(
        "One Z report as it was made; the ETag is the SHA-256 of its JSON",
        answers={200: DayReport, **FILES},
        refusals=(404, 406),
        parameters=[FORMAT],
    )
    def get(self, request: Request, pk: int) -> Any:
        form = wanted_format(request)
        z = visible_zs(request).filter(pk=pk).first()
        if z is None:
            raise NotFound("There is no such Z report.")
        return z_response(z, form)
