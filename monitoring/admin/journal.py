"""The journal, to look at. Nobody changes it, and the database would refuse."""

from django.contrib import admin

from monitoring.models import JournalCheckpoint, JournalEntry

from .read_only import ReadOnlyAdmin, readable


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    related = ("device", "key__device")
    list_display = ("device", "sequence", "kind", "source", "recorded_at", "hash")
    list_filter = ("kind",)
    search_fields = ("device__serial", "hash")
    fields = (
        *("device", "sequence", "kind", "source", "recorded_at"),
        *("content", "hash", "key", "signature"),
    )
    readonly_fields = ("content",)

    @admin.display
    def content(self, entry: JournalEntry) -> str:
        return readable(entry.body)


@admin.register(JournalCheckpoint)
class JournalCheckpointAdmin(ReadOnlyAdmin):
    related = ("device", "key__device")
    list_display = ("device", "sequence", "at")
    search_fields = ("device__serial",)
    fields = ("device", "sequence", "at", "content", "key", "signature")
    readonly_fields = ("content",)

    @admin.display
    def content(self, row: JournalCheckpoint) -> str:
        return readable(row.body)
