from .heartbeat import Heartbeat
from .webhooks import Delivery, Endpoint, Event, EventKind, Feed

__all__ = ["Delivery", "Endpoint", "Event", "EventKind", "Feed", "Heartbeat"]
