"""`Authorization: Token …` → the ApiToken row in `request.auth`."""

import time
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from .models import ApiToken

LAST_USED_EVERY = timedelta(minutes=1)


def token_of(request: Request) -> ApiToken:
    """The token a request was authenticated with."""
    return cast(ApiToken, request.auth)


class TokenAuthentication(BaseAuthentication):
    """Looks the token's hash up, through a cache of a few seconds per process.

    A revoked token stops working everywhere within settings.API_TOKEN_CACHE_SECONDS.
    """

    cache: dict[str, tuple[float, ApiToken]] = {}

    def authenticate(self, request: Request) -> tuple[None, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() not in (b"token", b"bearer"):
            return None
        digest = ApiToken.hash_of(secret.strip().decode("ascii", "replace"))
        return None, self._cached(digest)

    def authenticate_header(self, request: Request) -> str:
        return "Token"

    def _cached(self, digest: str) -> ApiToken:
        until, token = self.cache.get(digest, (0.0, None))
        if token is None or until < time.monotonic() or token.state != "active":
            token = self._load(digest)
            if len(self.cache) > 10_000:
                self.cache.clear()
            self.cache[digest] = (time.monotonic() + settings.API_TOKEN_CACHE_SECONDS, token)
        return token

    def _load(self, digest: str) -> ApiToken:
        rows: Any = ApiToken.objects.usable().select_related("company", "device", "device__branch")
        token: ApiToken | None = rows.filter(hash=digest).first()
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        self._note_use(token)
        return token

    def _note_use(self, token: ApiToken) -> None:
        now = timezone.now()
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
