from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.utils import OpenApiExample
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import ApiToken, Scope
from core.api import decode, detail_of, error_body, parse
from core.errors import DomainError, Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.prefer import prefer, wait_seconds
from core.views import ListView
from devices.calls import find_device
from devices.models import Device
from devices.views import bound_device, visible_device
from outbox import doorbell
from outbox.waiting import wait_for

from . import acceptance, corrections, credit_notes
from .acceptance import Accepted
from .filters import InvoiceFilter
from .heads import LOOKUPS, InvoiceHead
from .models import Invoice
from .outputs import (
    BulkOutput,
    BulkResult,
    InvoiceOutput,
    InvoiceSummary,
    PreviewOutput,
    invoice_detail,
    invoice_output,
    invoice_summary,
    preview_amounts,
    warnings_of,
)
from .schemas import (
    BulkBody,
    BulkInput,
    CreditNoteInput,
    Named,
    PreviewInput,
    ReasonInput,
    SaleContent,
    SaleInput,
)
from .statements import read_receipt

PREFER = prefer("wait up to N seconds (0–30) for KRA's signature")
SALE_EXAMPLE = OpenApiExample(
    "Two lines with a discount",
    request_only=True,
    value={
        "reference": "TILL1-000123",
        "prices_include_tax": True,
        "customer": {"pin": "A123456789Z", "name": "Baraka Stores"},
        "payment_method": "mobile_money",
        "lines": [
            {"item": "SKU-001", "quantity": "2", "unit_price": "580.00", "discount_percent": "10"},
            {"item": "SKU-002", "quantity": "1", "unit_price": "100.00"},
        ],
    },
)


def till_waits(request: Request) -> float:
    return wait_seconds(request, default=settings.SALES_WAIT_DEFAULT)


def only_serial(token: ApiToken) -> str:
    """The company's device, when it has just one that was ever initialised."""
    devices: Any = Device.objects.visible_to(token).exclude(key="")
    serials = list(devices.values_list("serial", flat=True)[:2]) if token.company_id else []
    return serials[0] if len(serials) == 1 else ""


def selling_device(request: Request, serial: str) -> Device:
    """The device a sale is made on: the token's own, or the one it names."""
    bound = bound_device(token_of(request))
    if bound is not None and serial in ("", bound.serial):
        return bound
    if not serial:
        serial = only_serial(token_of(request))
    if not serial:
        step = "Send the serial of one; GET /api/devices/ lists them."
        problem = Problem("device", "It is missing, and more than one may be meant.", step)
        raise Invalid("Which device?", problems=[problem])
    company_id = token_of(request).company_id
    if bound is None and company_id is not None:
        device = find_device(company_id, serial)
        if device is not None:
            return device
    return visible_device(token_of(request), serial)


def visible_invoice(request: Request, pk: int) -> Invoice:
    invoices: Any = Invoice.objects.visible_to(token_of(request))
    invoice: Invoice | None = invoices.whole().filter(pk=pk).first()
    if invoice is None:
        raise NotFound("There is no such invoice.")
    return invoice


def answer(request: Request, accepted: Accepted) -> Response:
    """Wait as long as the till wants, then say what is known."""
    invoice = accepted.invoice
    seconds = till_waits(request)
    if seconds and invoice.transmission is not None and not invoice.transmission.is_settled:
        row = wait_for(invoice.transmission, seconds)
        if not row.is_settled:
            doorbell.ring(row.lane_id)
        # What was accepted cannot have changed: only KRA's side of it is read again.
        invoice.transmission = row
        read_receipt(invoice)
    output = invoice_output(invoice)
    output.warnings = warnings_of(accepted.shortages)
    if accepted.is_replay:
        return Response(output, status=200, headers={"Idempotent-Replayed": "true"})
    headers = {"Location": output.links.self}
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:.0f}"
    return Response(output, status=status_of(invoice), headers=headers)


def status_of(invoice: Invoice) -> int:
    """201 finished, 202 on its way."""
    return 201 if invoice.status in ("signed", "training") else 202


ACCEPTED: dict[int, Any] = {200: InvoiceOutput, 201: InvoiceOutput, 202: InvoiceOutput}


class SaleView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Make a sale: 201 signed, 202 accepted and on its way, 200 the same sale again",
        request=SaleInput,
        answers=ACCEPTED,
        refusals=(400, 404, 409, 413),
        parameters=[PREFER],
        examples=[SALE_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, SaleInput)
        device = selling_device(request, data.device)
        with doorbell.held(till_waits(request) > 0):
            accepted = acceptance.create_sale(device, data)
        return answer(request, accepted)


class PreviewView(APIView):
    scopes = {"POST": (Scope.SALES_WRITE, Scope.SALES_READ)}

    @describe(
        "Compute a sale and list every problem; nothing is stored",
        request=PreviewInput,
        answers={200: PreviewOutput},
        refusals=(400, 404),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, PreviewInput)
        device = selling_device(request, data.device)
        basket, problems, shortages = acceptance.preview(device, data)
        output = PreviewOutput(
            is_valid=basket is not None and not problems,
            problems=detail_of(problems),
            warnings=[],
        )
        if basket is not None:
            lines = acceptance.new_lines(basket)
            preview_amounts(output, basket, lines)
            output.warnings = warnings_of(shortages)
        return Response(output)


class BulkView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Make many sales, each for itself: one verdict per sale",
        request=BulkInput,
        answers={200: BulkOutput},
        refusals=(400, 413),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, BulkBody)
        results = [self._one(request, bytes(sale)) for sale in data.sales]
        accepted = sum(result.sale is not None for result in results)
        return Response(BulkOutput(accepted, len(results) - accepted, results))

    def _one(self, request: Request, body: bytes) -> BulkResult:
        try:
            data = parse(body, SaleInput)
            device = selling_device(request, data.device)
            made = acceptance.create_sale(device, data)
        except DomainError as exc:
            said = error_body(exc.code, exc.message, detail_of(exc.problems), exc.help)
            return BulkResult(_reference_of(body), exc.status, error=said["error"])
        status = 200 if made.is_replay else status_of(made.invoice)
        sale = invoice_output(made.invoice)
        sale.warnings = warnings_of(made.shortages)
        return BulkResult(data.reference, status, sale=sale)


def _reference_of(body: bytes) -> str:
    """Of a sale that was refused: perhaps it has none."""
    try:
        return str(msgspec.json.decode(body, type=Named).reference)[:50]
    except msgspec.ValidationError:
        return ""


class CreditNoteView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Credit a signed sale, in whole or in part",
        request=CreditNoteInput,
        answers=ACCEPTED,
        refusals=(400, 404, 409),
        parameters=[PREFER],
    )
    def post(self, request: Request) -> Response:
        data = decode(request, CreditNoteInput)
        device = selling_device(request, data.device)
        with doorbell.held(till_waits(request) > 0):
            accepted = credit_notes.create_credit_note(device, data, token_of(request))
        return answer(request, accepted)


class InvoiceListView(ListView):
    queryset = Invoice.objects.none()
    scopes = {"GET": (Scope.SALES_READ, Scope.REPORTS_READ)}
    filterset_class = InvoiceFilter

    def get_queryset(self) -> Any:
        invoices: Any = Invoice.objects.visible_to(token_of(self.request))
        return invoices.values_list(*LOOKUPS, named=True)

    def output(self, row: Any) -> InvoiceSummary:
        return invoice_summary(InvoiceHead(row))

    @describe(
        "Sales and credit notes without their lines, newest first",
        answers={200: page_of(InvoiceSummary)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InvoiceView(APIView):
    scopes = {"GET": (Scope.SALES_READ, Scope.REPORTS_READ)}

    @describe(
        "One invoice, with every attempt, its cause of trouble and the next step",
        answers={200: InvoiceOutput},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(invoice_detail(visible_invoice(request, pk)))


class CorrectView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Replace a refused sale by a corrected version under the same reference",
        request=SaleContent,
        answers={201: InvoiceOutput, 202: InvoiceOutput},
        refusals=(400, 404, 409),
        parameters=[PREFER],
    )
    def post(self, request: Request, pk: int) -> Response:
        invoice = visible_invoice(request, pk)
        return answer(request, corrections.correct(invoice, decode(request, SaleContent)))


class VoidView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Give up a sale that KRA does not have, with a reason",
        request=ReasonInput,
        answers={200: InvoiceOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        invoice = visible_invoice(request, pk)
        corrections.void(invoice, reason=decode(request, ReasonInput).reason)
        return Response(invoice_detail(visible_invoice(request, pk)))


class RetryView(APIView):
    scopes = {"POST": Scope.SALES_WRITE}

    @describe(
        "Try again now instead of at the next attempt",
        answers={200: InvoiceOutput, 202: InvoiceOutput},
        refusals=(404, 409),
        parameters=[PREFER],
    )
    def post(self, request: Request, pk: int) -> Response:
        invoice = visible_invoice(request, pk)
        corrections.retry(invoice)
        seconds = till_waits(request)
        if seconds and invoice.transmission is not None:
            wait_for(invoice.transmission, seconds)
        output = invoice_detail(visible_invoice(request, pk))
        return Response(output, status=200 if output.status == "signed" else 202)


class AnyAccept(DefaultContentNegotiation):
    """The view chooses the format itself; a refusal is JSON, whatever the till says it accepts."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
