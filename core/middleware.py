import re
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
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


class PeoplesMessages(ForPeople, MessageMiddleware):
    pass
