"""GET /metrics: for whoever watches, never for the world."""

import hmac
import ipaddress
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views import View
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.throttling import BaseThrottle

from core.api import error_body

from .facts import facts
from .requests import Requests

MESSAGE = "The metrics are not for everybody."
HELP = "Send 'Authorization: Bearer <METRICS_TOKEN>', or add your network to METRICS_NETWORKS."


class MetricsView(View):
    """No session, no token of the API: a scrape must work when the database does not."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        if not may_scrape(request):
            body = msgspec.json.encode(error_body("metrics_refused", MESSAGE, None, HELP))
            return HttpResponse(body, status=403, content_type="application/json")
        headers = {"Cache-Control": "no-store"}
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST, headers=headers)


def exposition() -> bytes:
    registry = CollectorRegistry()
    for collector in (facts, Requests()):
        registry.register(collector)
    return generate_latest(registry)


def may_scrape(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    if settings.METRICS_TOKEN and hmac.compare_digest(given, wanted):
        return True
    return bool(settings.METRICS_NETWORKS) and _is_near(request)


def _is_near(request: HttpRequest) -> bool:
    asking: Any = request
    # The address behind our own proxies, as NUM_PROXIES believes it.
    try:
        address = ipaddress.ip_address((BaseThrottle().get_ident(asking) or "").strip())
    except ValueError:
        return False
    return any(
        address in ipaddress.ip_network(network, strict=False)
        for network in settings.METRICS_NETWORKS
    )
