"""`Authorization: Token …` → the ApiToken row in `request.auth`."""

import time
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db.models import Q, TextField
from django.db.models.expressions import RawSQL
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from core import sql

from .models import ApiToken
from .throttling import TokenThrottle

LAST_USED_EVERY = timedelta(minutes=1)
AS_KNOWN = """
    SELECT token.scopes, token.expires_at, token.device_id, company.xmin::text
    FROM companies_apitoken token
    LEFT JOIN companies_company company ON company.id = token.company_id
    WHERE token.id = $1 AND token.revoked_at IS NULL AND company.is_active IS NOT FALSE
"""


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
        try:
            return None, self._cached(digest)
        except AuthenticationFailed:
            # Right tokens from the same address are let in: a shop's tills share one.
            if not TokenThrottle().note_wrong(request):
                raise Throttled(detail="Too many wrong tokens came from your address.") from None
            raise

    def authenticate_header(self, request: Request) -> str:
        return "Token"

    def _cached(self, digest: str) -> ApiToken:
        until, token = self.cache.get(digest, (0.0, None))
        if token is None or token.state != "active":
            token = self._load(digest)
        elif until > time.monotonic():
            return token
        elif not self._is_as_known(token):
            token = self._load(digest)
        if len(self.cache) > 10_000:
            self.cache.clear()
        self.cache[digest] = (time.monotonic() + settings.API_TOKEN_CACHE_SECONDS, token)
        return token

    def _load(self, digest: str) -> Any:
        rows: Any = ApiToken.objects.usable().select_related("company")
        version = RawSQL('"companies_company"."xmin"::text', [], output_field=TextField())
        token: Any = rows.annotate(company_version=version).filter(hash=digest).first()
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        self._note_use(token)
        return token

    def _is_as_known(self, token: Any) -> bool:
        """Nothing about the token or its company has changed: it need not be loaded again."""
        known = (token.scopes, token.expires_at, token.device_id, token.company_version)
        if sql.fetch_all(AS_KNOWN, [token.pk]) != [known]:
            return False
        self._note_use(token)
        return True

    def _note_use(self, token: ApiToken) -> None:
        now = timezone.now()
        if token.last_used_at is not None and token.last_used_at >= now - LAST_USED_EVERY:
            return
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        token.last_used_at = now
