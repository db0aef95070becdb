"""Requests counted and timed. It stands before every sale, so it may cost only microseconds."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess

from .dead import shared_lock

# Up to the 30 s that a till may wait for its signature.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"}
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

registry = CollectorRegistry()
REQUESTS = Counter(
    "etims_http_requests",
    "Requests answered, by the pattern of their address.",
    ["method", "route", "status"],
    registry=registry,
)
SECONDS = Histogram(
    "etims_http_request_seconds",
    "How long answers took, waiting for KRA included.",
    ["route"],
    buckets=BUCKETS,
    registry=registry,
)
# Finding the right counter costs more than counting. Routes are ours, so there are few.
_known: dict[tuple[str, str, int], tuple[Any, Any]] = {}


class CountRequests:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        # An address that nobody serves is no label: strangers could make up millions.
        route = match.route if match else "other"
        note(request.method or "", route, response.status_code, time.perf_counter() - started)
        return response


def note(method: str, route: str, status: int, seconds: float) -> None:
    key = (method, route, status)
    found = _known.get(key)
    if found is None:
        word = method if method in METHODS else "other"
        found = (REQUESTS.labels(word, f"/{route}", str(status)), SECONDS.labels(f"/{route}"))
        if word == method:
            _known[key] = found
    found[0].inc()
    found[1].observe(seconds)


class Requests:
    """A collector: of all web processes that share a folder, else of this one."""

    def collect(self) -> list[Any]:
        folder = os.environ.get(FOLDER)
        if not folder or not Path(folder).is_dir():
            return list(registry.collect())
        with shared_lock(folder):
            collector: Any = multiprocess.MultiProcessCollector  # untyped there
            return list(collector(None, folder).collect())
