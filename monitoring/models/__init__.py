"""What monitoring itself remembers; everything else is read from the apps below."""

from .heartbeat import Heartbeat
from .journal import JournalCheckpoint, JournalEntry, JournalHead, JournalSource, UnjournaledFact
from .webhooks import Delivery, Endpoint, Event, EventKind, Feed

__all__ = [
    "Delivery",
    "Endpoint",
    "Event",
    "EventKind",
    "Feed",
    "Heartbeat",
    "JournalCheckpoint",
    "JournalEntry",
    "JournalHead",
    "JournalSource",
    "UnjournaledFact",
]
