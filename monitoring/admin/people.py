"""People and their passwords: the operator's part. What a member may do is his role (roles.py)."""

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from companies.models import Member
from monitoring.roles import access_of

from .read_only import ReadOnlyAdmin, ReadOnlyInline

# Their pages show the secrets of second factors.
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)
# Roles stand in one table; groups would be a second one.
admin.site.unregister(Group)
admin.site.unregister(User)


class RoleInline(ReadOnlyInline):
    model = Member
    fields = readonly_fields = ("company", "role", "created_at")


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Who is locked out after wrong passwords; `manage.py axes_reset_username` lets in again."""

    never_read = ("get_data", "post_data")
    list_display = ("username", "ip_address", "failures_since_start", "attempt_time")
    list_filter = ("attempt_time",)
    search_fields = ("=username", "=ip_address")
    fields = ("username", "ip_address", "failures_since_start", "attempt_time", "path_info")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (RoleInline,)
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "email", "first_name", "last_name")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "first_name", "last_name")}),
        (
            "May come in",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff come into the admin and see the companies in which they have "
                "a role. A superuser is the operator: sees and does everything.",
            },
        ),
        ("Seen", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if access_of(request).is_platform else rows.none()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access_of(request).is_platform

    has_add_permission = has_change_permission = has_view_permission
    has_module_permission = has_view_permission

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: what a person did stays his. Take `active` away instead."""
        return False
