"""Secrets at rest: MultiFernet, newest key first (settings.ENCRYPTION_KEYS)."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def box() -> MultiFernet:
    return _box(tuple(settings.ENCRYPTION_KEYS))


def encrypt(text: str) -> str:
    return box().encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """Raises cryptography.fernet.InvalidToken when no configured key fits."""
    return box().decrypt(token.encode()).decode() if token else ""


def rotate(token: str) -> str:
    """Encrypt an existing token again under the newest key."""
    return box().rotate(token.encode()).decode() if token else ""


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is encrypted in the database and plain on the instance; never searchable."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(str(value))
