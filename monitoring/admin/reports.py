from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import path, reverse
from django.utils.html import format_html

from sales.models import ZReport
from sales.reports.formats import FORMATS
from sales.reports.views import z_response

from .read_only import ReadOnlyAdmin, readable


@admin.register(ZReport)
class ZReportAdmin(ReadOnlyAdmin):
    """Closed days; a Z is final, so there is nothing to do here but look and download."""

    related = ("company", "branch", "device")
    list_display = ("number", "day", "company", "device", "closed_at", "closed_by", "downloads")
    list_filter = ("day",)
    search_fields = ("=company__pin", "=device__serial")
    search_help_text = "PIN or device, exactly"
    fields = (
        *("company", "branch", "device", "number", "day", "closed_at", "closed_by", "sha256"),
        *("downloads", "report"),
    )
    readonly_fields = ("downloads", "report")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.download)
        own = path("<int:pk>/download/<str:form>/", view, name="sales_zreport_download")
        return [own, *super().get_urls()]

    def download(self, request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
        z = self.get_queryset(request).filter(pk=pk).first()
        if z is None or form not in FORMATS or not self.has_view_permission(request, z):
            raise Http404
        answer: HttpResponseBase = z_response(z, form)
        return answer

    @admin.display(description="download")
    def downloads(self, z: ZReport) -> str:
        links = [
            format_html('<a href="{}">{}</a>', address_of(z, form), form.upper())
            for form in FORMATS
        ]
        return format_html("{} {} {} {}", *links)

    @admin.display(description="report")
    def report(self, z: ZReport) -> str:
        return readable(z.content)


def address_of(z: ZReport, form: str) -> str:
    return reverse("admin:sales_zreport_download", args=[z.pk, form])
