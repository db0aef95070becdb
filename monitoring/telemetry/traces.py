"""Requests and tasks as OpenTelemetry's spans, over OTLP/HTTP.

The libraries also note addresses, queries and an error's own words. What may leave is listed here.
"""

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

INSTRUMENTORS: tuple[Any, ...] = (DjangoInstrumentor, CeleryInstrumentor)
ALLOWED = {
    *("http.method", "http.request.method", "http.route", "http.status_code"),
    *("http.response.status_code", "error.type", "exception.type"),
    *("celery.action", "celery.state", "celery.task_name", "messaging.message.id"),
}

# Those of its own variables that somebody set go first. Three seconds: a process that is asked to
# go tries twice or three times, and a collector that is away must not hold it up.
DEFAULTS = {"OTEL_SERVICE_NAME": "etims-integration", "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}


def start() -> None:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    provider = TracerProvider(resource=Resource.create())
    # It waits and sends in a thread of its own, and drops what nobody takes.
    sender: Any = Sender(OTLPSpanExporter())
    provider.add_span_processor(BatchSpanProcessor(sender))
    trace.set_tracer_provider(provider)
    # A caller's "baggage" is not carried on: nobody knows what is in it.
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    for instrumentor in INSTRUMENTORS:
        instrumentor().instrument()


class Sender:
    """Stands before the exporter and lets through what is on the list."""

    def __init__(self, exporter: Any) -> None:
        self.exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> Any:
        return self.exporter.export([allowed(span) for span in spans])

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return bool(self.exporter.force_flush(timeout_millis))


def allowed(span: ReadableSpan) -> ReadableSpan:
    raised = {
        name: value
        for event in span.events
        for name, value in (event.attributes or {}).items()
        if name == "exception.type"
    }
    noted = {**(span.attributes or {}), **raised}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: noted[name] for name in ALLOWED & noted.keys()},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
