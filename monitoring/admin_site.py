"""Who comes into the admin: staff, with a second factor where settings.ADMIN_TWO_FACTOR asks."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite


class Site(UnfoldAdminSite):
    site_title = site_header = "eTIMS integration"
    index_title = "What is going on"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Also for other pages of people: `admin.site.has_permission(request)` decides there."""
        if not super().has_permission(request):
            return False
        return not settings.ADMIN_TWO_FACTOR or is_verified(request.user)


def is_verified(user: Any) -> bool:
    """Whether this session has shown the second factor (django_otp's middleware says so)."""
    asked = getattr(user, "is_verified", None)
    return asked is not None and bool(asked())
