"""One POST to a receiver: to a checked address, within a total time, its answer read to a bound.

No redirect is followed and no proxy is used: both would lead where nobody has looked.
"""

import secrets
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException
from typing import Any

import urllib3
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection

from .addresses import AddressRefused, Target, checked_address, target_of

# Whatever a receiver, or what stands before it, may say instead of HTTP.
BROKEN = (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)
ANSWER_BYTES = 2000
KEPT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. `status` is None when there was no answer; `error` says why."""

    status: int | None = None
    body: str = ""
    error: str = ""
    elapsed_ms: int = 0
    retry_after_s: float | None = None
    is_refused_address: bool = False

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def new_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def signed_headers(secrets_: list[str], message_id: str, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; one signature per secret that is still good."""
    now = datetime.fromtimestamp(int(time.time()), tz=UTC)
    marks = [
        Webhook(secret).sign(msg_id=message_id, timestamp=now, data=body.decode())
        for secret in secrets_
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(marks),
    }


def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Never raises: what goes wrong at a receiver is an answer like any other."""
    started = time.monotonic()
    try:
        target = target_of(url)
        answer = _exchange(target, checked_address(target), headers, body)
    except AddressRefused as error:
        return Answer(error=str(error)[:300], is_refused_address=True)
    except BROKEN as error:
        return Answer(error=_words(error), elapsed_ms=_since(started))
    return answer


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _words(error: Exception) -> str:
    if isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)):
        return "It did not answer in time."
    if isinstance(error, (ssl.SSLError, urllib3.exceptions.SSLError)):
        return f"TLS: {error}"[:300]
    return f"{type(error).__name__}: {error}"[:300]


class _Pinned:
    """Connects to the address that was checked, whatever the name may lead to by now."""

    address = ""
    handle: socket.socket | None = None

    def _new_conn(self: Any) -> socket.socket:
        made = socket.create_connection((self.address, self.port), settings.WEBHOOK_CONNECT_TIMEOUT)
        made.settimeout(settings.WEBHOOK_READ_TIMEOUT)
        # A second hold on the connection, to end it from outside, TLS handshake and all.
        self.handle = made.dup()
        return made


class _PlainConnection(_Pinned, HTTPConnection):
    pass


class _TLSConnection(_Pinned, HTTPSConnection):
    pass


@lru_cache(maxsize=2)
def tls_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _connection(target: Target, address: str) -> Any:
    timeout = settings.WEBHOOK_READ_TIMEOUT
    made: Any
    if target.scheme == "https":
        context = tls_context(settings.WEBHOOK_CA_FILE)
        # The name stays the name: for SNI, for the certificate and for the Host header.
        made = _TLSConnection(target.host, target.port, timeout=timeout, ssl_context=context)
    else:
        made = _PlainConnection(target.host, target.port, timeout=timeout)
    made.address = address
    return made


@contextmanager
def _deadline(connection: Any) -> Iterator[threading.Event]:
    """A receiver that drips a byte now and then keeps within the read timeout for ever."""
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        handle = connection.handle
        if handle is not None:
            try:
                handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    timer = threading.Timer(settings.WEBHOOK_TOTAL_TIMEOUT, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()
        connection.close()
        if connection.handle is not None:
            connection.handle.close()


def _exchange(target: Target, address: str, headers: dict[str, str], body: bytes) -> Answer:
    started = time.monotonic()
    connection = _connection(target, address)
    all_headers = {
        "Host": target.host_header,
        "Content-Type": "application/json",
        "User-Agent": "etims-integration-webhooks",
        "Accept-Encoding": "identity",
        "Connection": "close",
    } | headers
    with _deadline(connection) as is_over:
        try:
            connection.request("POST", target.path, body=body, headers=all_headers,
                               preload_content=False)  # fmt: skip
            response = connection.getresponse()
            if is_over.is_set():
                # Cut headers look like the end of them.
                raise TimeoutError
            text = _read(response)
        except BROKEN:
            if is_over.is_set():
                raise TimeoutError from None
            raise
    return Answer(
        status=response.status,
        body=text,
        elapsed_ms=_since(started),
        retry_after_s=_retry_after(response.headers.get("Retry-After", "")),
    )


def _read(response: Any) -> str:
    """The beginning of what it said. The status has been heard: a cut body changes nothing."""
    try:
        data: bytes = response.read(ANSWER_BYTES, decode_content=False)
    except BROKEN:
        data = b""
    return data.decode("utf-8", "replace").replace("\x00", "")[:KEPT_CHARACTERS]


def _retry_after(text: str) -> float | None:
    """Seconds, from either form of the header."""
    if text.strip().isdigit() and len(text.strip()) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - timezone.now()).total_seconds())
