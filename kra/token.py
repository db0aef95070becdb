"""The gateway's OAuth token: one for all threads, fetched again before it expires."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kra import envelope
from kra.errors import Unavailable
from kra.profiles import Credentials

MARGIN_S = 60.0
_UNSTATED_LIFE_S = 300.0

Fetch = Callable[[str, Credentials], "Grant"]


@dataclass(frozen=True, slots=True)
class Grant:
    token: str = field(repr=False)
    lives_s: float


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    good_until: float = 0.0
    failed_at: float = float("-inf")
    failure: Unavailable | None = None


class Tokens:
    """`fetch` makes the HTTP call and raises nothing but Unavailable."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._guard = threading.Lock()
        # The secret is part of the key: knowing another company's consumer key must not be
        # enough to be handed its token.
        self._slots: dict[tuple[str, str, str], _Slot] = {}

    def get(self, url: str, credentials: Credentials, *, refused: str = "") -> str:
        """A token that is valid now and is not the one the gateway has just refused."""
        slot = self._slot(url, credentials)
        asked_at = time.monotonic()
        with slot.lock:
            if slot.token and slot.token != refused and asked_at < slot.good_until:
                return slot.token
            if slot.failure is not None and slot.failed_at >= asked_at:
                # Someone tried while we waited for the lock: the same try again would only
                # make the threads queue up for one timeout each.
                raise _again(slot.failure)
            return self._renew(slot, url, credentials)

    def _renew(self, slot: _Slot, url: str, credentials: Credentials) -> str:
        try:
            grant = self._fetch(url, credentials)
        except Unavailable as exc:
            slot.token, slot.failure, slot.failed_at = "", exc, time.monotonic()
            raise
        slot.token, slot.failure = grant.token, None
        slot.good_until = time.monotonic() + grant.lives_s - MARGIN_S
        return slot.token

    def _slot(self, url: str, credentials: Credentials) -> _Slot:
        key = (url, credentials.consumer_key, credentials.consumer_secret)
        with self._guard:
            return self._slots.setdefault(key, _Slot())


def read_grant(body: bytes) -> Grant:
    """Raises ValueError. Nothing of the body is quoted: it may hold a token."""
    members = envelope.parse(body)
    token = members.get("access_token") if isinstance(members, dict) else None
    if not isinstance(token, str) or not (token.isascii() and token.isprintable() and token):
        raise ValueError("no access_token")
    return Grant(token, _lifetime(members.get("expires_in")))


def _lifetime(value: object) -> float:
    return float(envelope.number(value)) or _UNSTATED_LIFE_S  # a string: "3599"


def _again(failure: Unavailable) -> Unavailable:
    return Unavailable(
        failure.code,
        failure.message,
        retry_after=failure.retry_after,
        http_status=failure.http_status,
    )
