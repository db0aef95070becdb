"""Facts of a fiscal life that leave no row of their own: who wants to know is in the settings.

The apps below may not import the journal; settings.FACT_KEEPER is its dotted path.
"""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


def note(device_id: int, kind: str, **facts: Any) -> None:
    """Keep a fact together with what the caller's transaction changes: both or neither.

    Values are strings, whole numbers, booleans, None, and lists and objects of those.
    """
    import_string(settings.FACT_KEEPER)(device_id, kind, facts)
