"""The buyer's page: unguessable, on the merchant's own host, honest about what KRA has signed."""

from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views import View
from rest_framework.request import Request

from companies.throttling import TokenThrottle
from core.api import too_many_requests

from .models import Invoice, Kind, State
from .receipts import html, qr
from .receipts.printing import copy_label, document_of, note_page_view
from .receipts.promises import CAPTIONS, Promise, promise_of
from .receipts.words import LANGUAGES, WORDS, Language

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language",
    "Content-Security-Policy": html.POLICY,
}


class PromiseView(View):
    """Whoever holds the link may read; nobody else learns even whether a link exists."""

    http_method_names = ["get", "head", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except Http404:
            # Only misses count: the buyers of a mobile network share few addresses.
            if TokenThrottle().note_wrong(Request(request)):
                raise
            return too_many_requests("Too many unknown addresses were asked for.")
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response


class ReceiptPage(PromiseView):
    """Pending until KRA has signed; then the receipt and the link to KRA's own check."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        invoice = find(token)
        language = language_of(request)
        promise = promise_of(invoice, language)
        context = _about(invoice, promise, language) | _paper(invoice, language)
        if request.method == "GET" and "paper" in context and not invoice.is_training:
            note_page_view(invoice)
        return render(request, "sales/receipt_page.html", context)


class OwnCode(PromiseView):
    """The QR code of the page's own address, to be shown or printed before there is a receipt."""

    as_png = False

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        address = find(token).public_url
        if self.as_png:
            return HttpResponse(qr.png(address), content_type="image/png")
        return HttpResponse(qr.svg(address), content_type="image/svg+xml")


def find(token: str) -> Invoice:
    """Raises Http404: the same for what cannot be a link and for what is none."""
    invoice: Invoice | None = Invoice.objects.whole().filter(public_token=token).first()
    if invoice is None:
        raise Http404
    return invoice


def language_of(request: HttpRequest) -> Language:
    """`?lang=`, else what the browser prefers, else English."""
    asked = request.GET.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for tag, weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        spoken = tag.partition("-")[0]
        if spoken in LANGUAGES and weight > 0:
            return spoken
    return "en"


def _about(invoice: Invoice, promise: Promise, language: Language) -> dict[str, Any]:
    captions = CAPTIONS[language]
    return {
        "style": html.STYLE,
        "language": language,
        "promise": promise,
        "captions": captions,
        "words": WORDS[language],
        "invoice": invoice,
        "seller": invoice.company.trade_name or invoice.company.name,
        "total": _total(invoice, captions),
        "newer": _newer(invoice),
        "code": html.picture(invoice.public_url, title=captions["this_page"])
        if promise.refresh_s
        else "",
        "languages": {"en": "English", "sw": "Kiswahili"},
    }


def _total(invoice: Invoice, captions: dict[str, str]) -> str:
    """What takes a sale back is negative before it is signed, too."""
    if invoice.kind == Kind.CREDIT_NOTE:
        return f"{captions['credit_note']}: {_shillings(-invoice.total)}"
    return f"{captions['total']}: {_shillings(invoice.total)}"


def _shillings(amount: Decimal) -> str:
    # Never torn apart by the end of a line.
    return f"KES\u00a0{amount:,.2f}"


def _paper(invoice: Invoice, language: Language) -> dict[str, Any]:
    """The receipt, once there is one to show. On screen it is a copy: the till prints the original
    (rule R3), and looking must not take it away.
    """
    receipt = getattr(invoice, "receipt", None)
    if receipt is None and not (invoice.is_training and invoice.state == State.ACTIVE):
        return {}
    document = document_of(invoice, copy_label(invoice), language)
    # KRA's page knows nothing of what a simulator signed.
    is_known = receipt is not None and invoice.company.environment != "simulator"
    return {
        "paper": html.paper(document),
        "check": document.qr_url if is_known else None,
        "credited": [f"{note.receipt} · {_shillings(-note.total)}" for note in _notes(invoice)],
    }


def _notes(invoice: Invoice) -> Any:
    """What KRA has signed to undo it: a receipt alone would not be the whole truth."""
    notes = Invoice.objects.filter(original=invoice, receipt__isnull=False)
    return notes.select_related("receipt").order_by("pk")


def _newer(invoice: Invoice) -> str:
    if invoice.state != State.SUPERSEDED:
        return ""
    versions = Invoice.objects.filter(branch_id=invoice.branch_id, reference=invoice.reference)
    current = versions.filter(is_current=True).first()
    return current.public_url if current else ""
