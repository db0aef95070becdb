"""JSON log lines. What may appear is listed here; everything else is dropped (allow-list)."""

import logging
import re

from pythonjsonlogger.json import JsonFormatter

from .context import request_id

# Names a log call may attach with `extra=`. A name that is not here never reaches a line.
ALLOWED = {
    *("request_id", "device", "kind", "number", "reference", "attempt", "code", "ms", "lane"),
    *("outcome", "endpoint", "status", "environment", "lanes", "count", "method", "path"),
}
RECORD_OWN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
SECRETS = re.compile(r"(?i)((?:cmckey|token|authorization|bearer|basic|pwd|password)\W{0,4})\S+")


class ContextFilter(logging.Filter):
    """Add the request id, drop attributes that are not allowed, blank secrets in the text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        for name in set(record.__dict__) - RECORD_OWN - ALLOWED:
            del record.__dict__[name]
        text = record.getMessage()
        masked = SECRETS.sub(r"\1***", text)
        if masked != text:
            record.msg, record.args = masked, None
        return True


class JSONFormatter(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
