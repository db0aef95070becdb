"""Who comes into the admin: staff, with a second factor where settings.ADMIN_TWO_FACTOR asks."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from two_factor.utils import default_device
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

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one page to sign in, and it asks for the second factor as well."""
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
            wanted = settings.LOGIN_REDIRECT_URL
        if self.has_permission(request):
            return redirect(wanted)
        if super().has_permission(request) and default_device(request.user) is None:
            return redirect("two_factor:setup")
        return redirect_to_login(wanted)


def is_verified(user: Any) -> bool:
    """Whether this session has shown the second factor (django_otp's middleware says so)."""
    asked = getattr(user, "is_verified", None)
    return asked is not None and bool(asked())
