"""JSON log lines. What may appear is listed here; everything else is dropped (allow-list)."""

import logging
import re
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from .context import request_id

# Names a log call may attach with `extra=`. A name that is not here never reaches a line.
ALLOWED = {
    *("request_id", "device", "kind", "number", "reference", "attempt", "code", "ms", "lane"),
    *("outcome", "endpoint", "status", "environment", "lanes", "count", "method", "path"),
}
RECORD_OWN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
SECRETS = re.compile(
    r"""(?ix)
    ( (?: cmckey | token | authorization | bearer | basic | pwd | password | secret
        | consumer_?key | private_?key )
      \W{0,6} (?: (?: token | bearer | basic ) \W{1,4} )? )
    \S+"""
)
OUR_TOKEN = re.compile(r"etims_[A-Za-z0-9_-]{30,}")


def masked(text: str) -> str:
    return OUR_TOKEN.sub("***", SECRETS.sub(r"\1***", text))


class ContextFilter(logging.Filter):
    """Add the request id, drop attributes that are not allowed, blank secrets in the text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        for name in set(record.__dict__) - RECORD_OWN:
            if name not in ALLOWED:
                del record.__dict__[name]
            elif isinstance(value := record.__dict__[name], str):
                record.__dict__[name] = masked(value)
        record.msg, record.args = masked(_text(record)), None
        return True


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A filter that raises would break whoever made this wrong call.
        return str(record.msg)


class JSONFormatter(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )

    def formatException(self, ei: Any) -> str:
        return masked(str(super().formatException(ei)))
