"""The catalogue, KRA's lists, and stock as KRA knows it."""

from .catalogue import Item, ItemCounter, ProductType
from .imports import ImportCursor, ImportLine, ImportMatch
from .lists import Classification, Code, SyncState, TaxRate
from .stock import MovementType, StockMovement, StockMovementLine

__all__ = [
    "Classification",
    "Code",
    "ImportCursor",
    "ImportLine",
    "ImportMatch",
    "Item",
    "ItemCounter",
    "MovementType",
    "ProductType",
    "StockMovement",
    "StockMovementLine",
    "SyncState",
    "TaxRate",
]
