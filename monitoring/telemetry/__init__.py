"""Sentry and OpenTelemetry, if somebody wants them: requirements-telemetry.txt and the variable.
Nothing is imported without it; a variable without the packages stops the start (docs/metrics.md).
"""

import importlib
import os

ASKED_BY = {"SENTRY_DSN": "errors", "OTEL_EXPORTER_OTLP_ENDPOINT": "traces"}


def start() -> None:
    """Once per process, before its first request or task."""
    for variable, module in ASKED_BY.items():
        if os.environ.get(variable):
            importlib.import_module(f"{__name__}.{module}").start()
