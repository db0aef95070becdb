"""Requests per token, and wrong tokens per address, counted in Redis by the `limits` library; no
Redis, no limit.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = logging.getLogger(__name__)
RETRY_AFTER_FAILURE_S = 5.0
# Redis is asked once for so small a part of a limit, and that is spent without asking.
PARTS = 200
MOST_KEYS = 10_000


class TokenThrottle(BaseThrottle):
    # What this process may still spend of a part it has taken, by limit and key.
    left: ClassVar[dict[tuple[str, str], int]] = {}
    limiter: FixedWindowRateLimiter | None = None
    limit = parse(settings.API_RATE_LIMIT)
    broken_until = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        self.key = f"token:{request.auth.pk}" if request.auth else self.get_ident(request) or "?"
        return self._unless_broken(self._spend)

    def note_wrong(self, request: Request) -> bool:
        """Count a wrong token; False when too many came from this address."""
        who = f"guess:{self.get_ident(request) or '?'}"
        limit = parse(settings.API_WRONG_TOKEN_LIMIT)
        return self._unless_broken(lambda: self._limiter().hit(limit, who))

    def _unless_broken(self, ask: Callable[[], bool]) -> bool:
        """Selling goes on without Redis (decision 1); the limits return with it."""
        if time.monotonic() < TokenThrottle.broken_until:
            return True
        try:
            return ask()
        except RedisError:
            TokenThrottle.broken_until = time.monotonic() + RETRY_AFTER_FAILURE_S
            log.warning("rate limits are off: Redis does not answer")
            return True

    def _spend(self) -> bool:
        """Take one request. Near the limit, or where it is small, one by one."""
        key = (self.limit.key_for(), self.key)
        left = self.left.pop(key, 0)
        if not left:
            part = max(1, self.limit.amount // PARTS)
            if self._limiter().hit(self.limit, self.key, cost=part):
                left = part
            elif part > 1 and self._limiter().hit(self.limit, self.key):
                left = 1
        if left > 1:
            # Another thread may have taken a part meanwhile: neither is lost.
            self.left[key] = self.left.get(key, 0) + left - 1
        if len(self.left) > MOST_KEYS:
            self.left.clear()
        return left > 0

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
