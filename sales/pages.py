"""The buyer's page: unguessable, on the merchant's own host, honest about what KRA has signed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views import View

from .models import Invoice
from .receipts import text
from .receipts.printing import copy_label, document_of

REFRESH_S = 10


class ReceiptPage(View):
    """Pending until KRA has signed; then the receipt and the link to KRA's own check."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        invoice = get_object_or_404(Invoice.objects.whole(), public_token=token)
        receipt = getattr(invoice, "receipt", None)
        context = {
            "invoice": invoice,
            "receipt": receipt,
            "text": text.lay_out(document_of(invoice, copy_label(invoice))) if receipt else "",
            "pending": invoice.status in ("queued", "sending", "unknown"),
            "refresh": REFRESH_S,
        }
        response = render(request, "sales/receipt_page.html", context)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return response
