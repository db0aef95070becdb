"""What other apps, views and tasks ask of the catalogue."""

from .adjustments import Adjustment, Booked, adjust_stock
from .catalogue import Verdict, deliver_items, sync_items
from .introduction import Introduction, introduce, pull_lists, recount, retry_item
from .lists import approve_rate, is_synced, pull_list, sync_codes, sync_due
from .orders import Ordered
from .registration import enqueue_drafts
from .stock import (
    Customer,
    Shortage,
    StockLine,
    book_stock,
    retry_movement,
    stock_shortages,
)
from .stock_reconciliation import Difference, reconcile_stock
from .transfers import Transfer, Transferred, transfer_stock

__all__ = [
    "Adjustment",
    "Booked",
    "Customer",
    "Difference",
    "Introduction",
    "Ordered",
    "Shortage",
    "StockLine",
    "Transfer",
    "Transferred",
    "Verdict",
    "adjust_stock",
    "approve_rate",
    "book_stock",
    "deliver_items",
    "enqueue_drafts",
    "introduce",
    "is_synced",
    "pull_list",
    "pull_lists",
    "reconcile_stock",
    "recount",
    "retry_item",
    "retry_movement",
    "stock_shortages",
    "sync_codes",
    "sync_due",
    "sync_items",
    "transfer_stock",
]
