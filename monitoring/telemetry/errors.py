"""Unexpected errors to Sentry: where in the code, at which door, under which request id.

What may leave is listed here; everything else stays. An error's own words stay too: they hold what
somebody sent ("invalid literal …", "Key (pin)=(…)"). The log has them, under the same request id.
"""

import os
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from core.context import request_id
from core.logs import ALLOWED, masked

EVENT = {
    *("event_id", "timestamp", "platform", "level", "logger", "sdk", "release", "environment"),
    *("server_name", "fingerprint"),
}
FRAME = {
    *("filename", "abs_path", "function", "module", "lineno", "in_app"),
    *("pre_context", "context_line", "post_context"),
}
OURS = {
    *("core", "companies", "devices", "outbox", "items", "sales", "purchases", "monitoring"),
    "etims_integration",
}
# Names of the code and of addresses' patterns; the rest is what somebody typed.
CODE_SOURCES = ("route", "view", "component", "task")


def start() -> None:
    sentry_sdk.init(
        dsn=os.environ["SENTRY_DSN"],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        # No headers of Sentry's on what goes to KRA and to the hooks.
        trace_propagation_targets=[],
        auto_session_tracking=False,
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(transaction_style="url", signals_spans=False),
            CeleryIntegration(propagate_traces=False),
            LoggingIntegration(level=None),
        ],
        before_send=allowed,
    )


def allowed(event: Any, _hint: Any) -> Any:
    """The event with nothing but what is on the lists; a mistake here sends nothing."""
    if str(event.get("logger", "")).startswith("opentelemetry"):
        return None  # The other receiver is away: its own watch, not an error of ours.
    found = {name: event[name] for name in EVENT & event.keys()}
    if event.get("transaction_info", {}).get("source") in CODE_SOURCES:
        found["transaction"] = event["transaction"]
    if "exception" in event:
        found["exception"] = {"values": [_raised(each) for each in event["exception"]["values"]]}
    if str(event.get("logger", "")).partition(".")[0] in OURS and "logentry" in event:
        found["logentry"] = {"message": masked(str(event["logentry"].get("message", "")))}
    extra = event.get("extra", {})
    found["extra"] = {name: masked(str(extra[name])) for name in ALLOWED & extra.keys()}
    method = event.get("request", {}).get("method")
    found["tags"] = {"request_id": request_id.get()} | ({"method": method} if method else {})
    return found


def _raised(one: Any) -> Any:
    mechanism = one.get("mechanism") or {}
    frames = (one.get("stacktrace") or {}).get("frames", [])
    return {
        "type": one.get("type"),
        "module": one.get("module"),
        "value": "its words are in the log",
        "mechanism": {name: mechanism[name] for name in {"type", "handled"} & mechanism.keys()},
        "stacktrace": {
            "frames": [{name: frame[name] for name in FRAME & frame.keys()} for frame in frames]
        },
    }
