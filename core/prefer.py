"""`Prefer: wait=N` (RFC 7240): how long a caller wants to wait for KRA's answer."""

import re

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*("?)([0-9]{1,9})\1(?:\s*$|[,;\s])', re.I)


def wait_seconds(request: Request, *, default: float = 0.0) -> float:
    """What the caller asks for, else `default`; never more than SALES_WAIT_MAX."""
    found = WAIT.search(request.headers.get("Prefer", ""))
    return float(min(float(found[2]) if found else default, settings.SALES_WAIT_MAX))


def prefer(what: str = "wait up to N seconds (0–30) for KRA's answer") -> OpenApiParameter:
    """The header as the API's documentation shows it."""
    return OpenApiParameter(
        "Prefer", str, OpenApiParameter.HEADER, description=f"`wait=N`: {what} (RFC 7240)."
    )
