from .invoices import MatchSource, Purchase, PurchaseLine, State
from .memory import RememberedMatch, SyncMark

__all__ = ["MatchSource", "Purchase", "PurchaseLine", "RememberedMatch", "State", "SyncMark"]
