from django.contrib import admin

from sales.models import ReceiptPrint

from .read_only import ReadOnlyAdmin


@admin.register(ReceiptPrint)
class ReceiptPrintAdmin(ReadOnlyAdmin):
    related = ("company", "branch", "device", "invoice")
    list_display = (
        *("printed_at", "label", "format", "reference", "total", "company", "printed_by"),
        *("repeats", "spoiled_at", "spoiled_reason"),
    )
    list_filter = ("label", "format", "printed_at", "spoiled_at")
    search_fields = ("=reference", "=company__pin", "=device__serial", "=printed_by")
    search_help_text = "Reference, PIN of the seller, device, or who printed it, exactly"
    fields = (
        *("company", "branch", "device", "invoice", "reference", "label", "format", "total"),
        *("printed_by", "printed_at", "print_id", "repeats"),
        *("spoiled_at", "spoiled_by", "spoiled_reason"),
    )
