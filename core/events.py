"""Say what happened to whoever stands above: settings.EVENT_SINKS lists them by dotted path.

An app says it inside the transaction that makes it so. A sink writes to the database and nothing
else; when it fails, the change itself is rolled back with it. A sink takes what it knows and leaves
the rest.
"""

from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class Sink(Protocol):
    def __call__(self, what: str, subject: int, facts: dict[str, Any]) -> None: ...


@lru_cache(maxsize=16)
def _sink(path: str) -> Sink:
    sink: Sink = import_string(path)
    return sink


def announce(what: str, subject: int, /, **facts: Any) -> None:
    """`subject` is a transmission for sale.signed, sale.refused and sale.conflict; for all else a
    device: device.state, and what the journal keeps because no row of its own would tell of it
    (counter_set, adopted, voided, …). Facts are strings, whole numbers, booleans, None, and lists
    and objects of those.
    """
    for path in settings.EVENT_SINKS:
        _sink(path)(what, subject, facts)
