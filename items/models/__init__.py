"""The catalogue, KRA's lists, and stock as KRA knows it."""

from .catalogue import Item, ItemCounter, ProductType
from .levels import StockLevel
from .lists import Classification, Code, SyncState, TaxRate
from .notices import Notice
from .stock import MovementType, StockMovement, StockMovementLine

__all__ = [
    "Classification",
    "Code",
    "Item",
    "ItemCounter",
    "MovementType",
    "Notice",
    "ProductType",
    "StockLevel",
    "StockMovement",
    "StockMovementLine",
    "SyncState",
    "TaxRate",
]
