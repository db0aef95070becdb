"""What monitoring itself remembers, by concept; everything else is read from the apps below."""

from .alerts import Alert, AlertNotice, Severity
from .heartbeat import Heartbeat

__all__ = ["Alert", "AlertNotice", "Heartbeat", "Severity"]
