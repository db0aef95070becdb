"""Sentry and OpenTelemetry, if somebody wants them: `pip install '.[telemetry]'` and the variable.
Nothing is imported without it; a variable without the package stops the start.
"""

import importlib
import os


def start() -> None:
    """Once per process, before its first request or task."""
    if os.environ.get("SENTRY_DSN"):
        # No bodies, no variables, no addresses: they hold buyers' names and keys.
        importlib.import_module("sentry_sdk").init(
            dsn=os.environ["SENTRY_DSN"],
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            traces_sample_rate=0.0,
        )
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # It reads its own variables (OTEL_…); requests become spans, named by their route.
        name = "opentelemetry.instrumentation.auto_instrumentation"
        importlib.import_module(name).initialize()
