"""The two transports: paths, token gate, identity headers, envelopes."""

import hashlib
import hmac
import itertools
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from simulator import clock
from simulator.answers import Answer, Coded, Refused
from simulator.options import Options
from simulator.protocol import Endpoint, endpoints

DIRECT = "/etims-api"
GATEWAY = "/etims-oscu/api/v1"
TOKEN = "/v1/token/generate"
_reference = itertools.count(1)


def routes() -> Iterator[tuple[str, Endpoint, bool]]:
    """(path, endpoint, is it the gateway) of everything that is served."""
    for endpoint in endpoints().values():
        spelled = {
            endpoint.direct,
            *(("/selectTaxpayerInfo",) if "Payer" in endpoint.direct else ()),
        }
        for path in spelled:
            yield DIRECT + path, endpoint, False
        for path in spelled | {endpoint.gateway, *endpoint.aliases}:
            yield GATEWAY + path, endpoint, True


def envelope(answer: Answer) -> dict[str, Any]:
    return {
        "resultCd": answer.code,
        "resultMsg": answer.message,
        "resultDt": clock.stamp(),
        "data": answer.data,
    }


def wrap(answer: Answer, gateway: bool) -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON of an answer."""
    if not gateway:
        return 200, envelope(answer)
    if answer.refused:
        head = _head(400, answer.message)
        return answer.http_status, {"responseHeader": head, "responseBody": None}
    status = 400 if answer.code == "001" else 200  # the live host's odd empty list
    return status, {"responseHeader": _head(200, "Success"), "responseBody": envelope(answer)}


def _head(code: int, message: str) -> dict[str, Any]:
    return {
        "responseRefID": f"00000000-0000-4000-8000-{next(_reference):012x}",
        "responseCode": code,
        "customerMessage": message,
        "debugMessage": message,
    }


def unauthorized() -> dict[str, Any]:
    return {
        "header": {
            "responseMessage": "Unauthorised-Invalid Access Token",
            "responseCode": 401,
            "customerMessage": "Invalid Access Token",
            "requestRefId": f"00000000-0000-4000-8000-{next(_reference):012x}",
            "timestamp": clock.spaced(clock.stamp()),
        },
        "body": {},
    }


def expired() -> dict[str, Any]:
    return {"fault": {"faultstring": "access token expired"}}


class Tokens:
    """Tokens carry their own expiry, so a restart forgets none of them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._secret = f"simulator {options.seed}".encode()

    def issue(self, authorization: str) -> str | None:
        """A token for these Basic credentials, or None."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            pair = b64decode(encoded, validate=True).decode()
        except ValueError:
            return None
        key, _, secret = pair.partition(":")
        if scheme.lower() != "basic" or not key or not secret:
            return None
        if self._options.consumer is not None and pair != self._options.consumer:
            return None
        expiry = f"{time.time() + self._options.token_seconds:.3f}"
        return f"{expiry}.{self._mark(expiry)}"

    def refusal(self, authorization: str) -> dict[str, Any] | None:
        """The 401 body for this header, or None when the token is good."""
        scheme, _, token = authorization.partition(" ")
        expiry, _, mark = token.rpartition(".")
        if scheme.lower() != "bearer" or mark != self._mark(expiry):
            return unauthorized()
        return expired() if float(expiry) <= time.time() else None

    def _mark(self, expiry: str) -> str:
        return hmac.digest(self._secret, expiry.encode(errors="replace"), hashlib.sha256).hex()[:24]


def check_app(headers: Mapping[str, str], options: Options) -> None:
    found = headers.get("apigee_app_id")
    if not found:
        raise Refused("Invalid Headers apigee_app_id / cannot be Null")
    if options.app_id is not None and found != options.app_id:
        raise Refused("TestSessionApiLog not found for this apigee_app_id")


def identity(
    headers: Mapping[str, str], body: Mapping[str, Any], *, headers_only: bool
) -> tuple[str, str, str]:
    """PIN, branch and key: from the headers, and where that is enough, from the body."""
    found = []
    for name in ("tin", "bhfId", "cmcKey"):
        value = headers.get(name) or ("" if headers_only else body.get(name))
        if not value or not isinstance(value, str):
            raise Coded("900")
        found.append(value)
    return found[0], found[1], found[2]
