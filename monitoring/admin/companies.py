from django.contrib import admin

from companies.models import ApiToken, Branch, Company, Member

from .read_only import ReadOnlyAdmin


@admin.register(Company)
class CompanyAdmin(ReadOnlyAdmin):
    list_display = (
        "pin",
        "name",
        "environment",
        "profile",
        "is_active",
        "pin_verified_at",
        "next_step",
    )
    list_filter = ("environment", "profile", "is_active")
    search_fields = ("pin", "name", "trade_name", "registered_name")
    fields = (
        *("pin", "name", "trade_name", "registered_name", "environment", "profile", "app_id"),
        *("pin_verified_at", "is_active", "created_at", "next_step"),
    )
    readonly_fields = ("next_step",)

    @admin.display(description="next step")
    def next_step(self, company: Company) -> str:
        if not company.is_active:
            return "Its tokens are refused while it is inactive."
        if company.pin_verified_at is None:
            return "Initialise a device: KRA's answer verifies the PIN."
        return ""


@admin.register(Branch)
class BranchAdmin(ReadOnlyAdmin):
    related = ("company",)
    list_display = ("company", "code", "name", "is_head_office", "is_open", "manager_name")
    list_filter = ("is_head_office", "is_open")
    search_fields = ("company__pin", "company__name", "code", "name")
    fields = (
        *("company", "code", "name", "address", "is_head_office", "is_open"),
        *(
            "kra_name",
            "kra_address",
            "manager_name",
            "manager_phone",
            "manager_email",
            "created_at",
        ),
    )


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    related = ("company", "user")
    list_display = ("user", "company", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("company__pin", "company__name", "user__username")
    fields = ("user", "company", "role", "created_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    related = ("company", "device")
    never_read = ("hash",)
    list_display = (
        *("name", "prefix", "company", "device", "state", "scopes", "expires_at", "last_used_at"),
    )
    list_filter = ("revoked_at",)
    search_fields = ("name", "prefix", "company__pin", "company__name", "device__serial")
    fields = (
        *("name", "prefix", "company", "device", "scopes", "state", "created_at", "expires_at"),
        *("last_used_at", "revoked_at"),
    )
    readonly_fields = ("state",)
