"""Errors a caller can act on. Each app subclasses these; core/api.py turns them into answers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field: what, why, and what to do next."""

    field: str
    reason: str
    next_step: str = ""


class DomainError(Exception):
    """An expected refusal. `status` is HTTP, `code` is stable and machine-readable."""

    status = 400
    code = "invalid"
    help = "Correct the request and send it again."

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.problems = list(problems)
        if help:
            self.help = help


class Invalid(DomainError):
    """The request's content is wrong; nothing was stored."""


class NotFound(DomainError):
    status = 404
    code = "not_found"
    help = "Check the address. Objects of other companies are never shown."


class Conflict(DomainError):
    """The request is well-formed, but the object's state does not allow it."""

    status = 409
    code = "conflict"
    help = "Read the object again and decide from its present state."


class PayloadTooLarge(DomainError):
    status = 413
    code = "too_large"
    help = "Send at most 1 MB and 999 lines in one request; split larger documents."


class KeysMissing(DomainError):
    """What is stored was encrypted with a key that is not configured any more."""

    status = 503
    code = "keys_missing"
    help = (
        "The operator gives ENCRYPTION_KEYS back the key it had; GET /health/ shows when it fits."
    )


class Upstream(DomainError):
    """KRA did not give a usable answer to a call the request itself needed."""

    status = 502
    code = "kra_unavailable"
    help = "Nothing was changed. Try again; GET /health/ and /api/dashboard/ show KRA's state."
