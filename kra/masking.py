"""What of an exchange may be stored in clear text and shown to people."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from kra import envelope

HIDDEN = "***"
_encoder = msgspec.json.Encoder(decimal_format="number")
_KEY_MEMBER = re.compile(
    r'("\s*(?:cmcKey|pwd)\s*"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^,}\s]+)', re.IGNORECASE
)

# Allow-lists: a member that KRA adds tomorrow is hidden until someone has looked at it.
# fmt: off
_INIT_ANSWER = frozenset(
    (
        "resultCd", "resultMsg", "resultDt", "responseCode", "responseRefID",
        "customerMessage", "debugMessage", "responseMessage", "requestRefId", "timestamp",
        "faultstring", "tin", "taxprNm", "bsnsActv", "bhfId", "bhfNm", "bhfOpenDt",
        "prvncNm", "dstrtNm", "sctrNm", "locDesc", "hqYn", "mgrNm", "mgrTelNo", "mgrEmail",
        "dvcId", "sdcId", "sdicId", "mrcNo",
    )
)
_USER_REQUEST = frozenset(
    (
        "tin", "bhfId", "userId", "userNm", "adrs", "cntc", "authCd", "remark", "useYn",
        "regrId", "regrNm", "modrId", "modrNm",
    )
)
# fmt: on


def safe_request(endpoint_id: str, body: bytes) -> str:
    if endpoint_id == "branch_user_save":
        return _allowed(body, _USER_REQUEST)
    return _without_key(body)


def safe_answer(endpoint_id: str, body: bytes) -> str:
    if endpoint_id == "init":
        return _allowed(body, _INIT_ANSWER)
    return _without_key(body)


def _without_key(body: bytes) -> str:
    """The text as it is. A key or a password has no business here; if it ever came, it does not
    stay.
    """
    text = body.decode("utf-8", "backslashreplace")
    return _KEY_MEMBER.sub(rf'\1"{HIDDEN}"', text)


def _allowed(body: bytes, names: frozenset[str]) -> str:
    if not body:
        return ""
    try:
        document = envelope.parse(body)
    except ValueError:
        # A broken answer can still hold the key: only its fingerprint is kept.
        digest = hashlib.sha256(body).hexdigest()
        return f"[not JSON: {len(body)} bytes, SHA-256 {digest}]"
    return _encoder.encode(_masked(document, names.__contains__, name="")).decode()


def _masked(value: Any, is_allowed: Callable[[str], bool], *, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _masked(member, is_allowed, name=key) for key, member in value.items()}
    if isinstance(value, list):
        return [_masked(member, is_allowed, name=name) for member in value]
    return value if value is None or is_allowed(name) else HIDDEN
