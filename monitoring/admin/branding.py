"""How a company's receipts look: edited here, with a preview of what buyers will hold."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from companies.branding.logos import LARGEST_UPLOAD, Logo, read_logo
from companies.branding.services import change_branding
from companies.models import FOOTER_LINES, HEADER_LINES, LINE_CHARACTERS, Branding, Company
from core.errors import DomainError
from monitoring.roles import LEADERS, access_of
from sales.receipts import html
from sales.receipts.pdf import papers
from sales.receipts.sample import sample_document

from .read_only import ScopedAdmin

PREVIEWS = {
    "html": ("HTML", "text/html; charset=utf-8", html.render),
    "a4": ("PDF, A4", "application/pdf", papers.render_a4),
    "80mm": ("PDF, 80 mm", "application/pdf", papers.render_80),
    "58mm": ("PDF, 58 mm", "application/pdf", papers.render_58),
}


class Lines(forms.CharField):
    """A few lines of text, one list entry each."""

    def __init__(self, most: int, **more: Any) -> None:
        help_text = f"At most {most} lines of {LINE_CHARACTERS} characters."
        super().__init__(required=False, widget=forms.Textarea({"rows": most}),
                         help_text=help_text, **more)  # fmt: skip
        self.most = most

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed("\n".join(initial or []), (data or "").replace("\r", "")))

    def clean(self, value: Any) -> list[str]:
        lines: list[str] = [line.strip() for line in super().clean(value).splitlines()]
        if len(lines) > self.most:
            raise ValidationError(f"It has {len(lines)} lines; at most {self.most} fit.")
        for number, line in enumerate(lines, start=1):
            if len(line) > LINE_CHARACTERS:
                raise ValidationError(f"Line {number} has more than {LINE_CHARACTERS} characters.")
            if not line.isprintable():
                raise ValidationError(f"Line {number} holds control characters.")
        return lines


class BrandingForm(forms.ModelForm):
    header = Lines(HEADER_LINES)
    footer = Lines(FOOTER_LINES)
    new_logo = forms.FileField(
        required=False,
        help_text="PNG, JPEG or WebP, at most 1 MB. Dark on white prints best on rolls.",
    )
    remove_logo = forms.BooleanField(required=False)

    class Meta:
        model = Branding
        fields = ("company", "header", "footer", "language", "paper")

    def clean_new_logo(self) -> Logo | None:
        upload = self.cleaned_data["new_logo"]
        if upload is None:
            return None
        try:
            return read_logo(upload.read(LARGEST_UPLOAD + 1))
        except DomainError as exc:
            reasons = [f"{each.reason} {each.next_step}" for each in exc.problems]
            raise ValidationError(reasons or [exc.message]) from exc

    def changes(self) -> dict[str, Any]:
        """All that this form says about the branding, the logo included."""
        given = self.cleaned_data
        found = {name: given[name] for name in ("header", "footer", "language", "paper")}
        logo = Logo(b"", 0, 0) if given["remove_logo"] else given["new_logo"]
        if logo is None:
            return found
        return found | {"logo": logo.png, "logo_width": logo.width, "logo_height": logo.height}


@admin.register(Branding)
class BrandingAdmin(ScopedAdmin):
    form = BrandingForm
    related = ("company",)
    never_read = ("logo",)
    list_display = ("company", "language", "paper", "logo_size", "updated_at", "previews")
    list_filter = ("language", "paper")
    search_fields = ("=company__pin", "company__name")
    fields = (
        *("company", "header", "footer", "language", "paper", "logo_size", "new_logo"),
        *("remove_logo", "previews", "updated_at"),
    )
    readonly_fields = ("logo_size", "previews", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access_of(request).may_anywhere(LEADERS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        access = access_of(request)
        if obj is None:
            return access.may_anywhere(LEADERS)
        return access.may(LEADERS, obj.company_id)

    def formfield_for_foreignkey(self, field: Any, request: HttpRequest, **more: Any) -> Any:
        """A new branding is for a company in which the person may change one."""
        access = access_of(request)
        if field.name == "company" and not access.is_platform:
            more["queryset"] = Company.objects.filter(pk__in=access.companies(LEADERS))
        return super().formfield_for_foreignkey(field, request, **more)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "company") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        saved = change_branding(obj.company, **form.changes())
        obj.pk = saved.pk

    @admin.display(description="logo")
    def logo_size(self, branding: Branding) -> str:
        if not branding.logo_width:
            return "None"
        return f"{branding.logo_width} × {branding.logo_height} dots"

    @admin.display(description="preview")
    def previews(self, branding: Branding) -> str:
        if branding.pk is None:
            return "Save it first."
        links = (
            (reverse("admin:companies_branding_preview", args=[branding.pk, kind]), name)
            for kind, (name, _, _) in PREVIEWS.items()
        )
        made = format_html_join(" · ", '<a href="{}" target="_blank">{}</a>', links)
        return format_html("{} (as saved)", made)

    def get_urls(self) -> Any:
        preview = path(
            "<int:pk>/preview/<str:kind>/",
            self.admin_site.admin_view(self.preview),
            name="companies_branding_preview",
        )
        return [preview, *super().get_urls()]

    def preview(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        """A sample receipt with this branding, watermarked."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        branding = self.get_queryset(request).filter(pk=pk).first()
        if branding is None or kind not in PREVIEWS:
            raise Http404
        _, content_type, render = PREVIEWS[kind]
        response = HttpResponse(
            render(sample_document(branding.company)), content_type=content_type
        )
        response["Cache-Control"] = "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        if kind == "html":
            response["Content-Security-Policy"] = html.POLICY
        return response
