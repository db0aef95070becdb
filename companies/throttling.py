"""Requests per token, counted in Redis by the `limits` library; no Redis, no limit."""

import logging
import time
from typing import Any

from django.conf import settings
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = logging.getLogger(__name__)
RETRY_AFTER_FAILURE_S = 5.0


class TokenThrottle(BaseThrottle):
    limiter: FixedWindowRateLimiter | None = None
    limit = parse(settings.API_RATE_LIMIT)
    broken_until = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if time.monotonic() < TokenThrottle.broken_until:
            return True
        self.key = f"token:{request.auth.pk}" if request.auth else self.get_ident(request) or "?"
        try:
            return bool(self._limiter().hit(self.limit, self.key))
        except RedisError:
            # Selling goes on without Redis (decision 1); the limit returns with it.
            TokenThrottle.broken_until = time.monotonic() + RETRY_AFTER_FAILURE_S
            log.warning("rate limits are off: Redis does not answer")
            return True

    def wait(self) -> float:
        try:
            reset = self._limiter().get_window_stats(self.limit, self.key).reset_time
        except RedisError:
            return RETRY_AFTER_FAILURE_S
        return max(0.0, reset - time.time())

    @classmethod
    def _limiter(cls) -> FixedWindowRateLimiter:
        if cls.limiter is None:
            options: dict[str, Any] = {"socket_connect_timeout": 0.3, "socket_timeout": 0.5}
            cls.limiter = FixedWindowRateLimiter(storage_from_string(settings.REDIS_URL, **options))
        return cls.limiter
