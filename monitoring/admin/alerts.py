from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from monitoring.alerts import channels
from monitoring.alerts.wording import NEXT_STEPS
from monitoring.models import Alert, AlertNotice

from .read_only import ReadOnlyAdmin, ReadOnlyInline


class NoticeInline(ReadOnlyInline):
    model = AlertNotice
    fields = ("event", "channel", "created_at", "attempts", "sent_at", "dropped_at", "error")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    inlines = (NoticeInline,)
    change_list_template = "monitoring/alerts_admin.html"
    list_display = ("title", "rule", "severity", "since", "recovered_at", "next_step")
    list_filter = ("severity", "rule", ("recovered_at", admin.EmptyFieldListFilter))
    search_fields = ("title", "=company__pin", "=device__serial")
    fields = (
        *("title", "rule", "severity", "level", "next_step", "company", "device", "subject"),
        *("since", "opened_at", "seen_at", "recovered_at"),
    )
    readonly_fields = ("next_step",)

    @admin.display(description="next step")
    def next_step(self, alert: Alert) -> str:
        return "" if alert.recovered_at else NEXT_STEPS.get(alert.rule, "")

    def get_urls(self) -> list[URLPattern]:
        test = self.admin_site.admin_view(self.test_channels)
        own = path("test-channels/", test, name="monitoring_alert_test")
        return [own, *super().get_urls()]

    @method_decorator(require_POST)
    def test_channels(self, request: HttpRequest) -> HttpResponse:
        """A test message to every channel; it writes nothing."""
        if not request.user.is_superuser:
            raise PermissionDenied
        results = channels.test()
        for channel, trouble in results.items():
            level = messages.ERROR if trouble else messages.SUCCESS
            self.message_user(request, f"{channel}: {trouble or 'told'}", level)
        if not results:
            said = "No channel is set: ALERT_EMAIL_TO, ALERT_SLACK_URL or ALERT_WEBHOOK_URL."
            self.message_user(request, said, messages.WARNING)
        return redirect("admin:monitoring_alert_changelist")
