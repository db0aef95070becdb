"""The catalogue, KRA's lists, and stock as KRA knows it."""

from .catalogue import Item, ItemComponent, ItemCounter, ItemDefault, ProductType
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
    "ItemComponent",
    "ItemCounter",
    "ItemDefault",
    "MovementType",
    "ProductType",
    "StockMovement",
    "StockMovementLine",
    "SyncState",
    "TaxRate",
]
