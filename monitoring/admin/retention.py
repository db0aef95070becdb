from django.contrib import admin

from monitoring.models import LegalHold, PruneMark

from .read_only import ReadOnlyAdmin


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    list_display = ("company", "device", "reason", "placed_at", "placed_by", "released_at")
    list_filter = ("released_at",)
    search_fields = ("reason", "company__pin", "device__serial")
    fields = (
        *("company", "device", "reason", "placed_at", "placed_by"),
        *("released_at", "released_by", "release_reason"),
    )


@admin.register(PruneMark)
class PruneMarkAdmin(ReadOnlyAdmin):
    """How far old bodies were let go."""

    related = ("device",)
    list_display = ("device", "what", "last_id", "left_from", "round_at")
    list_filter = ("what",)
    search_fields = ("device__serial",)
    fields = ("device", "what", "last_id", "left_from", "round_at")
