import re
import uuid
from collections.abc import Callable
from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django_otp.middleware import OTPMiddleware

from .api import page_not_found
from .context import request_id

# Somebody else's id is echoed only when it cannot break a log line or a header.
SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RequestIdMiddleware:
    """Give every request an id (the caller's own when it is safe), echo it, log it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        # Never reset: Django logs a refusal after we have returned; the next request sets its own.
        request_id.set(given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex)
        # PostgreSQL holds no NUL: there can be nothing at such an address.
        is_odd = "\x00" in request.path_info
        response = page_not_found(request) if is_odd else self.get_response(request)
        response["X-Request-ID"] = request_id.get()
        return response


class SlashMiddleware(CommonMiddleware):
    """Django's own, which sends whoever forgot the last slash to the right address. What writes is
    not sent there: clients follow with a GET, and a sale would become a question.
    """

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        reads = request.method in ("GET", "HEAD")
        return reads and super().should_redirect_with_slash(request)


class ForPeople:
    """Django's own, left out for the API: tokens know no session, and a till waits for none."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class PeoplesSessions(ForPeople, SessionMiddleware):
    pass


class PeoplesLogin(ForPeople, AuthenticationMiddleware):
    pass


class PeoplesSecondFactor(ForPeople, OTPMiddleware):
    pass


class PeoplesMessages(ForPeople, MessageMiddleware):
    pass


# JSON is no page: whatever a browser makes of it may load, run and frame nothing.
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"


class BrowserPolicy(CSPMiddleware):
    """What a browser may do with our answers. A page that sets a policy of its own keeps it."""

    def __call__(self, request: HttpRequest) -> Any:
        path = request.path_info
        if path.startswith("/api/") and not path.startswith("/api/docs/"):
            response: Any = self.get_response(request)
            response.headers.setdefault("Content-Security-Policy", API_POLICY)
        else:
            response = super().__call__(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        # Not a default: the admin's theme would let its own pages be framed.
        response.headers["X-Frame-Options"] = settings.X_FRAME_OPTIONS
        return response

    def get_policy_parts(
        self, request: Any, response: Any, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        # The strictest that fits is the default; each surface replaces what it needs.
        for prefix, directives in settings.CSP_BY_PREFIX:
            if request.path_info.startswith(prefix):
                parts.replace = {**directives, **(parts.replace or {})}
                break
        return parts


def client_address(request: HttpRequest) -> str:
    """Who asks, as the API's limits see it: only our own proxies' X-Forwarded-For is believed."""
    remote = str(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.REST_FRAMEWORK["NUM_PROXIES"]
    forwarded = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",")]
    if not proxies or forwarded == [""]:
        return remote
    return forwarded[-min(proxies, len(forwarded))] or remote
