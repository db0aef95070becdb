from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from monitoring.acts import comparing
from monitoring.acts.comparing import Compared
from outbox.models import Lane, Status
from sales.models import Invoice, InvoiceLine, Receipt
from sales.reports.facts import BY_LETTER

from .acting import Trouble, trouble_of
from .read_only import ReadOnlyAdmin, ReadOnlyInline

# What waits by itself has none; what waits for a person stands out.
COLOURS = {"signed": "success", "refused": "danger", "conflict": "danger", "unknown": "warning"}


class LineInline(ReadOnlyInline):
    model = InvoiceLine
    fk_name = "invoice"
    fields = (
        *("sequence", "name", "quantity", "unit_price", "supply", "discount", "letter", "rate"),
        *("taxable", "tax", "total"),
    )


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    related = ("company", "branch", "device", "transmission", "original", "receipt")
    inlines = (LineInline,)
    list_display = (
        *("reference", "status_word", "kind", "company", "device", "sold_at", "total", "number"),
        *("cause", "next_step"),
    )
    list_filter = ("kind", "transmission__status", "state", "is_training", "sold_at")
    search_fields = ("=reference", "=company__pin", "=device__serial", "=customer_pin")
    search_help_text = "Reference, PIN of seller or buyer, or device, exactly"
    fields = (
        *("company", "branch", "device", "kind", "reference", "version", "is_current"),
        *("status_word", "cause", "next_step", "number", "state", "state_reason", "receipt_of"),
        *("is_training", "original", "credit_reason", "returns_goods", "sold_at", "created_at"),
        *("customer_pin", "customer_name", "customer_phone", "customer_email"),
        *("payment_method", "remark"),
        *("currency", "exchange_rate", "prices_include_tax"),
        *("total", "taxable", "tax", "discount", *BY_LETTER),
    )
    readonly_fields = ("status_word", "cause", "next_step", "number", "receipt_of")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("transmission__content", "transmission__body")

    def trouble(self, invoice: Any) -> Trouble | None:
        row = invoice.transmission
        if row is None or row.status == Status.ACCEPTED:
            return None
        return trouble_of(row.error_code, row.error_message)

    def compared(self, invoice: Any) -> list[Compared]:
        return comparing.of_invoice(invoice) if invoice.status == "conflict" else []

    def ways(self, request: HttpRequest, invoice: Any) -> list[tuple[str, str]]:
        """A conflict is settled at its lane: that is where the counter is set right."""
        lanes = self.admin_site._registry[Lane]
        if invoice.status != "conflict" or not lanes.has_view_permission(request):
            return []
        lane = reverse("admin:outbox_lane_change", args=[invoice.transmission.lane_id])
        return [("The lane and its counter", lane)]

    @display(description="status", ordering="transmission__status", label=COLOURS)
    def status_word(self, invoice: Invoice) -> str:
        return invoice.status

    @admin.display(description="number at KRA")
    def number(self, invoice: Invoice) -> int | None:
        return invoice.transmission.number if invoice.transmission else None

    @admin.display
    def cause(self, invoice: Invoice) -> str:
        trouble = self.trouble(invoice)
        return f"{trouble.code}: {trouble.cause}" if trouble else ""

    @admin.display(description="next step")
    def next_step(self, invoice: Invoice) -> str:
        trouble = self.trouble(invoice)
        return trouble.next_step if trouble else ""

    @admin.display(description="receipt")
    def receipt_of(self, invoice: Invoice) -> str:
        receipt = getattr(invoice, "receipt", None)
        return f"{receipt}, signature {receipt.signature}" if receipt else "Not signed."


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    company_path = "invoice__company_id"
    related = ("invoice__company", "invoice__branch")
    list_display = ("cu_number", "invoice", "number", "total_receipts", "signature", "signed_at")
    list_filter = ("signed_at",)
    search_fields = ("=invoice__reference", "=signature", "=scu_id", "=receipt_number")
    search_help_text = "Reference, signature, SCU id or receipt number, exactly"
    fields = (
        *("invoice", "cu_number", "number", "receipt_number", "total_receipts", "internal_data"),
        *("signature", "signed_at", "scu_id", "qr_link", "created_at"),
    )
    readonly_fields = ("cu_number", "qr_link")

    @admin.display(description="CU invoice number")
    def cu_number(self, receipt: Receipt) -> str:
        return str(receipt)

    @admin.display(description="KRA's page")
    def qr_link(self, receipt: Receipt) -> str:
        return format_html('<a href="{0}">{0}</a>', receipt.qr_url)
