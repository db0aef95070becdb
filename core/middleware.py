import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

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
