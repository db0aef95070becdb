from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from companies.schemas import Pin
from core.api import decode
from core.errors import Invalid, NotFound, Problem
from core.openapi import describe, page_of
from core.prefer import prefer
from core.views import ListView
from devices.asking import device_to_ask
from outbox.waiting import wait_for
from sales.models.registers import BranchRecord, BranchUser, Customer, Insurance
from sales.views import selling_device, till_waits

from .examples import CUSTOMER_EXAMPLE, INSURANCE_EXAMPLE, USER_EXAMPLE
from .filters import BranchUserFilter, CustomerFilter, InsuranceFilter
from .lookup import PinAnswer, look_up
from .schemas import (
    BranchUserInput,
    BranchUserOutput,
    CustomerInput,
    CustomerOutput,
    InsuranceInput,
    InsuranceOutput,
    values_of,
)
from .services import retry_record, save_record

TILLS = (Scope.SALES_WRITE, Scope.SALES_READ)
OFFICE = (Scope.COMPANY_WRITE, Scope.SALES_READ)


def visible_records(request: Request, model: type[BranchRecord]) -> Any:
    rows = model.objects.visible_to(token_of(request)).whole()  # type: ignore[attr-defined]
    return rows.defer("password") if model is BranchUser else rows


def visible_record(request: Request, model: type[BranchRecord], pk: int) -> Any:
    record = visible_records(request, model).filter(pk=pk).first()
    if record is None:
        raise NotFound("There is no such record.")
    return record


class RecordListView(ListView):
    """List a register, or create and change one record of it by its key."""

    model: type[BranchRecord]
    input: type[Any]
    shown: type[Any]

    def get_queryset(self) -> Any:
        return visible_records(self.request, self.model)

    def output(self, row: Any) -> Any:
        return self.shown.of(row)

    def save(self, request: Request) -> Response:
        data = decode(request, self.input)
        device = selling_device(request, data.device)
        key = self.model.KEY
        saved = save_record(self.model, device, getattr(data, key), values_of(data, key))
        _wait(request, saved.record)
        record = visible_record(request, self.model, saved.record.pk)
        return Response(self.shown.of(record), status=201 if saved.verdict == "created" else 200)


class RecordView(APIView):
    model: type[BranchRecord]
    shown: type[Any]

    def show(self, request: Request, pk: int) -> Response:
        return Response(self.shown.of(visible_record(request, self.model, pk)))

    def retry(self, request: Request, pk: int) -> Response:
        retry_record(visible_record(request, self.model, pk))
        _wait(request, visible_record(request, self.model, pk))
        return self.show(request, pk)


def _wait(request: Request, record: BranchRecord) -> None:
    seconds = till_waits(request)
    if seconds and not record.transmission.is_settled:
        wait_for(record.transmission, seconds)


class CustomerListView(RecordListView):
    scopes = {"GET": TILLS, "POST": Scope.SALES_WRITE}
    queryset = Customer.objects.none()
    filterset_class = CustomerFilter
    model, input, shown = Customer, CustomerInput, CustomerOutput

    @describe("The customers of the branches", answers={200: page_of(CustomerOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Create a customer of a branch, or change it by its number; KRA hears of each change",
        request=CustomerInput,
        answers={200: CustomerOutput, 201: CustomerOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[CUSTOMER_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        return self.save(request)


class CustomerView(RecordView):
    scopes = {"GET": TILLS}
    model, shown = Customer, CustomerOutput

    @describe("One customer", answers={200: CustomerOutput}, refusals=(404,))
    def get(self, request: Request, pk: int) -> Response:
        return self.show(request, pk)


class CustomerRetryView(RecordView):
    scopes = {"POST": Scope.SALES_WRITE}
    model, shown = Customer, CustomerOutput

    @describe(
        "Send a refused customer again, or a waiting one now",
        answers={200: CustomerOutput},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        return self.retry(request, pk)


class BranchUserListView(RecordListView):
    scopes = {"GET": OFFICE, "POST": Scope.COMPANY_WRITE}
    queryset = BranchUser.objects.none()
    filterset_class = BranchUserFilter
    model, input, shown = BranchUser, BranchUserInput, BranchUserOutput

    @describe(
        "The users whom KRA knows in the branches, without their passwords",
        answers={200: page_of(BranchUserOutput)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Create a user of a branch at KRA, or change it by its id",
        request=BranchUserInput,
        answers={200: BranchUserOutput, 201: BranchUserOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[USER_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        return self.save(request)


class BranchUserView(RecordView):
    scopes = {"GET": OFFICE}
    model, shown = BranchUser, BranchUserOutput

    @describe("One user of a branch", answers={200: BranchUserOutput}, refusals=(404,))
    def get(self, request: Request, pk: int) -> Response:
        return self.show(request, pk)


class BranchUserRetryView(RecordView):
    scopes = {"POST": Scope.COMPANY_WRITE}
    model, shown = BranchUser, BranchUserOutput

    @describe(
        "Send a refused user again, or a waiting one now",
        answers={200: BranchUserOutput},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        return self.retry(request, pk)


class InsuranceListView(RecordListView):
    scopes = {"GET": OFFICE, "POST": Scope.COMPANY_WRITE}
    queryset = Insurance.objects.none()
    filterset_class = InsuranceFilter
    model, input, shown = Insurance, InsuranceInput, InsuranceOutput

    @describe("The insurers of the branches", answers={200: page_of(InsuranceOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describe(
        "Create an insurer of a branch, or change it by its code",
        request=InsuranceInput,
        answers={200: InsuranceOutput, 201: InsuranceOutput},
        refusals=(400, 404, 409),
        parameters=[prefer()],
        examples=[INSURANCE_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        return self.save(request)


class InsuranceView(RecordView):
    scopes = {"GET": OFFICE}
    model, shown = Insurance, InsuranceOutput

    @describe("One insurer of a branch", answers={200: InsuranceOutput}, refusals=(404,))
    def get(self, request: Request, pk: int) -> Response:
        return self.show(request, pk)


class InsuranceRetryView(RecordView):
    scopes = {"POST": Scope.COMPANY_WRITE}
    model, shown = Insurance, InsuranceOutput

    @describe(
        "Send a refused insurer again, or a waiting one now",
        answers={200: InsuranceOutput},
        refusals=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        return self.retry(request, pk)


class PinLookupView(APIView):
    scopes = {"GET": TILLS}

    @describe(
        "The taxpayer behind a buyer's PIN, by KRA's word or a copy of it and its age",
        answers={200: PinAnswer},
        refusals=(400, 404, 409, 503),
        parameters=[
            OpenApiParameter("pin", str, required=True, description="The buyer's KRA PIN."),
            OpenApiParameter(
                "device", str, description="Serial; default: the token's own, else an active one."
            ),
            OpenApiParameter("company", str, description="PIN; only for the operator's token."),
        ],
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        pin = _pin_of(query.get("pin", ""))
        device = device_to_ask(
            request, serial=query.get("device", ""), company=query.get("company", "")
        )
        return Response(look_up(device, pin))


def _pin_of(text: str) -> str:
    """A PIN as people type it. Raises Invalid."""
    pin = text.strip().upper()
    try:
        return msgspec.convert(pin, Pin)
    except msgspec.ValidationError as exc:
        step = "Send ?pin= with a letter, nine digits and a letter, like A123456789Z."
        problem = Problem("pin", "It is not a KRA PIN." if pin else "It is missing.", step)
        raise Invalid("The request is not valid.", problems=[problem]) from exc
