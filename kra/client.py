"""One HTTP exchange with KRA: what left us, what came back, how long it took.

Nothing is interpreted here. Two doubts remain that no client can remove:

* A pooled connection that the server closes in the same instant in which we send looks like a
  reset after sending, hence OutcomeUnknown. Connections idle for 15 s are not reused and the
  socket is checked before use, so this is rare.
* The read timeout runs between two packets. The whole body has a deadline as well (twice the
  read timeout), a server that dribbles its headers has not.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, make_headers

from kra import envelope
from kra.connections import open_pools, progress
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Unavailable
from kra.profiles import ENDPOINTS, Credentials, Endpoint, Target
from kra.times import parse_http_date
from kra.token import Grant, Tokens, read_grant

MAX_ANSWER_BYTES = 128 * 1024 * 1024  # the whole classification list is some 20 MB
LONGEST_RETRY_AFTER_S = 3600.0
_CHUNK = 64 * 1024
_ALWAYS = {"Accept": "application/json", "User-Agent": "etims-integration"}
# Lists are long and slow to make, the classifications most of all; nobody waits for them.
_SLOW = MappingProxyType(
    {
        "item_class_list": 300.0,
        **dict.fromkeys(("code_list", "item_list", "import_list", "customer_list"), 120.0),
        **dict.fromkeys(("sales_list", "purchase_sales_list", "stock_move_list"), 120.0),
    }
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect: float = 5.0
    read: float = 30.0
    per_endpoint: Mapping[str, float] = field(default_factory=lambda: _SLOW)

    def read_for(self, endpoint_id: str) -> float:
        return self.per_endpoint.get(endpoint_id, self.read)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = field(repr=False)  # of an initialisation: holds the device's key
    elapsed_ms: int
    content_type: str = ""
    retry_after: float | None = None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    read_s: float


class Client:
    """One per process, shared by its threads."""

    def __init__(
        self, timeouts: Timeouts | None = None, pool_size: int = 32, proxy_url: str | None = None
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._pools = open_pools(pool_size, proxy_url)
        self._tokens = Tokens(self._fetch_token)

    def post(self, target: Target, endpoint_id: str, body: bytes) -> Answer:
        """Send a JSON object that holds tin and bhfId but no cmcKey; the key is added here.

        Raises Unavailable when surely nothing was sent, OutcomeUnknown when something may have
        been, DeviceRefused when the target has no credentials for its gateway.
        """
        endpoint = ENDPOINTS[endpoint_id]
        token = self._token(target)
        answer = self._send(target, endpoint, body, token)
        if token and _is_token_refused(answer):
            # The gate refused before the back end: repeating once is safe. A second refusal is
            # an answer like any other; `kra.answers.read` names it.
            answer = self._send(target, endpoint, body, self._token(target, refused=token))
        return answer

    def close(self) -> None:
        self._pools.clear()

    def _send(self, target: Target, endpoint: Endpoint, body: bytes, token: str) -> Answer:
        return self._exchange(
            _Call(
                "POST",
                endpoint.url(target.host),
                _headers(target, endpoint, token),
                _with_key(target, endpoint, body),
                self._timeouts.read_for(endpoint.id),
            )
        )

    def _exchange(self, call: _Call) -> Answer:
        started = time.monotonic()
        progress.sending = False
        try:
            response = self._open(call)
            body = _read_body(response, deadline=started + 2 * call.read_s)
        except (HTTPError, OSError) as exc:
            raise _failure(exc) from exc
        return _answer(response, body, elapsed_s=time.monotonic() - started)

    def _open(self, call: _Call) -> BaseHTTPResponse:
        return self._pools.urlopen(
            call.method,
            call.url,
            body=call.body,
            headers=call.headers,
            timeout=Timeout(connect=self._timeouts.connect, read=call.read_s),
            pool_timeout=self._timeouts.connect,
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _token(self, target: Target, *, refused: str = "") -> str:
        host, credentials = target.host, target.credentials
        if not host.needs_token:
            return ""
        if not host.token_url or credentials is None:
            # Of the set-up, not of the message: every message would meet it.
            raise DeviceRefused(
                "credentials_missing", "The gateway needs a token address and app credentials."
            )
        return self._tokens.get(host.token_url, credentials, refused=refused)

    def _fetch_token(self, url: str, credentials: Credentials) -> Grant:
        basic = f"{credentials.consumer_key}:{credentials.consumer_secret}"
        headers = {**_ALWAYS, **make_headers(basic_auth=basic)}
        try:
            # GET: a POST is answered with 200 and an empty body.
            answer = self._exchange(_Call("GET", url, headers, None, self._timeouts.read))
        except KRAError as exc:
            # Whatever happened to this call, the message itself has not been sent.
            raise Unavailable("token_unavailable", exc.message) from exc
        return _grant(answer)


def _grant(answer: Answer) -> Grant:
    if answer.status in (400, 401, 403):
        raise Unavailable(
            "token_refused",
            "The gateway refused the consumer key or secret.",
            http_status=answer.status,
        )
    try:
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        return read_grant(answer.body)
    except ValueError as exc:
        raise Unavailable(
            "token_unavailable",
            f"The token call gave no token: {exc}.",
            retry_after=answer.retry_after,
            http_status=answer.status,
        ) from exc


def _headers(target: Target, endpoint: Endpoint, token: str) -> dict[str, str]:
    headers = {**_ALWAYS, "Content-Type": "application/json"}
    identity = target.identity
    if endpoint.id != "init":
        headers |= {"tin": identity.pin, "bhfId": identity.branch}
        if identity.key:
            headers["cmcKey"] = identity.key
    if token and target.credentials is not None:
        headers |= {
            "Authorization": f"Bearer {token}",
            "apigee_app_id": target.credentials.app_id,
        }
    return headers


def _with_key(target: Target, endpoint: Endpoint, body: bytes) -> bytes:
    if not body.startswith(b"{"):
        raise ValueError("the body must be a JSON object")
    key = target.identity.key
    if endpoint.id == "init" or not key or not target.host.key_in_body:
        return body
    rest = body[1:].lstrip()
    separator = b"" if rest.startswith(b"}") else b","
    return b'{"cmcKey":' + msgspec.json.encode(key) + separator + rest


def _is_token_refused(answer: Answer) -> bool:
    if answer.status == 200 and len(answer.body) > _CHUNK:
        return False  # a long list, not worth parsing twice
    try:
        wrapped = envelope.unwrap(envelope.parse(answer.body))
    except ValueError:
        wrapped = envelope.Envelope()
    return envelope.is_token_refusal(answer.status, wrapped)


def _read_body(response: BaseHTTPResponse, *, deadline: float) -> bytes:
    """All of it, or an error and a closed connection: a rest would be the next call's answer."""
    is_complete = False
    try:
        body = b"".join(_chunks(response, deadline=deadline))
        is_complete = True
    finally:
        if not is_complete:
            response.close()
        response.release_conn()
    return body


def _chunks(response: BaseHTTPResponse, *, deadline: float) -> Iterator[bytes]:
    size = 0
    while chunk := response.read1(_CHUNK, decode_content=True):
        yield chunk
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise HTTPError("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not end in time")


def _answer(response: BaseHTTPResponse, body: bytes, *, elapsed_s: float) -> Answer:
    date = parse_http_date(response.headers.get("Date", ""))
    return Answer(
        status=response.status,
        body=body,
        elapsed_ms=round(elapsed_s * 1000),
        content_type=response.headers.get("Content-Type", ""),
        retry_after=_retry_after(response.headers.get("Retry-After", ""), date),
        date=date,
    )


def _failure(exc: HTTPError | OSError) -> KRAError:
    if progress.sending:
        is_timeout = isinstance(exc, ReadTimeoutError | TimeoutError)
        code = "read_timeout" if is_timeout else "connection_reset"
        return OutcomeUnknown(code, f"No complete answer after sending ({_kind(exc)}).")
    code = next((code for kind, code in _BEFORE_SENDING if isinstance(exc, kind)), "connect_failed")
    return Unavailable(code, f"Nothing was sent ({_kind(exc)}).")


# The first that fits: urllib3 makes a failed look-up a kind of failed connection, and that a
# kind of timeout.
_BEFORE_SENDING: tuple[tuple[type[Exception], str], ...] = (
    (NameResolutionError, "dns_failed"),
    (NewConnectionError, "connect_failed"),
    (ConnectTimeoutError, "connect_timeout"),
    (SSLError, "tls_failed"),
    (EmptyPoolError, "pool_exhausted"),
)


def _kind(exc: BaseException) -> str:
    # Type names only: urllib3's texts quote addresses, and proxies' passwords with them.
    cause = exc.__cause__ or exc.__context__
    return type(exc).__name__ if cause is None else f"{type(exc).__name__}, {type(cause).__name__}"


def _retry_after(value: str, date: datetime | None) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        seconds = float(value)
    elif (until := parse_http_date(value)) is not None:
        seconds = (until - (date or datetime.now(UTC))).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)
