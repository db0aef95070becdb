from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from core.api import decode
from core.openapi import describe
from sales.models import ReceiptEmail, emails_are_on
from sales.views import visible_invoice

from .schemas import EmailInput, EmailOutput, EmailsOutput
from .services import request_email

EXAMPLE = OpenApiExample(
    "To another address", request_only=True, value={"address": "accounts@example.com"}
)


class EmailView(APIView):
    scopes = {"GET": (Scope.SALES_READ, Scope.SALES_WRITE), "POST": Scope.SALES_WRITE}

    @describe(
        "The mails with this receipt, newest first",
        answers={200: EmailsOutput},
        refusals=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        rows = ReceiptEmail.objects.filter(invoice=visible_invoice(request, pk)).order_by("-pk")
        return Response(EmailsOutput(emails_are_on(), [EmailOutput.of(row) for row in rows[:50]]))

    @describe(
        "Mail the receipt of a signed sale (again), to the sale's address or another",
        request=EmailInput,
        answers={200: EmailOutput, 202: EmailOutput},
        refusals=(400, 404, 409),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        invoice, token = visible_invoice(request, pk), token_of(request)
        address = decode(request, EmailInput).address
        by = f"{token.name} ({token.prefix})"
        row, is_new = request_email(invoice, address=address, by=by)
        return Response(EmailOutput.of(row), status=202 if is_new else 200)
