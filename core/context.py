"""What the current request or task is about, for logs and error answers."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
