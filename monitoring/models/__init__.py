"""What monitoring itself remembers, by concept; everything else is read from the apps below."""

from .alerts import Alert, AlertNotice, Severity
from .certificates import SeenCertificate
from .heartbeat import Heartbeat
from .journal import JournalCheckpoint, JournalEntry, JournalHead, JournalSource, UnjournaledFact
from .oversight import ActionRequest, AuditEvent
from .retention import LegalHold, PruneMark
from .webhooks import Delivery, Endpoint, Event, EventKind, Feed

__all__ = [
    "ActionRequest",
    "Alert",
    "AlertNotice",
    "AuditEvent",
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
    "LegalHold",
    "PruneMark",
    "SeenCertificate",
    "Severity",
    "UnjournaledFact",
]
