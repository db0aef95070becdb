"""The synthetic signature block: repeatable, and nobody's secret."""

import hashlib
import hmac
from base64 import b32encode
from decimal import Decimal

_KEY = b"simulated control unit"


def sign(*, pin: str, branch: str, number: int, total: Decimal, tax: Decimal) -> tuple[str, str]:
    """(intrlData, rcptSign): 26 and 16 letters of A-Z2-7, from content alone."""
    content = f"{pin}|{branch}|{number}|{total:.2f}|{tax:.2f}".encode()
    text = b32encode(hmac.digest(_KEY, content, hashlib.sha256)).decode()
    return text[:26], text[26:42]
