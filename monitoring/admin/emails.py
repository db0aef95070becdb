from django.contrib import admin

from sales.models import ReceiptEmail

from .read_only import ReadOnlyAdmin


@admin.register(ReceiptEmail)
class ReceiptEmailAdmin(ReadOnlyAdmin):
    related = ("company", "invoice")
    list_display = (
        *("invoice", "address", "company", "state", "label", "attempts", "not_before", "error"),
    )
    list_filter = ("state", "created_at")
    search_fields = ("=address", "=invoice__reference", "=company__pin")
    search_help_text = "Address, reference or PIN of the seller, exactly"
    fields = (
        *("company", "invoice", "address", "state", "label", "attempts", "not_before", "error"),
        *("requested_by", "created_at", "finished_at"),
    )
