"""The catalogue, KRA's lists, and stock as KRA knows it."""

from .catalogue import Item, ItemComponent, ItemCounter, ItemDefault, ProductType
from .imports import ImportCursor, ImportLine, ImportMatch
from .levels import StockLevel
from .lists import Classification, Code, SyncState, TaxRate
from .notices import Notice
from .stock import MovementType, StockMovement, StockMovementLine

__all__ = [
    "Classification",
    "Code",
    "ImportCursor",
    "ImportLine",
    "ImportMatch",
    "Item",
    "ItemComponent",
    "ItemCounter",
    "ItemDefault",
    "MovementType",
    "Notice",
    "ProductType",
    "StockLevel",
    "StockMovement",
    "StockMovementLine",
    "SyncState",
    "TaxRate",
]
