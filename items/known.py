"""The items that tills sell, kept by each process with the version in which it read them.

To read them costs a sale as much as to store it. What is kept is believed only as long as it is
looked at where it counts: before a no it is read again, and before a yes the statement that stores
the sale compares the versions (sales/statements.py).
"""

from collections.abc import Collection
from typing import NamedTuple

from core import sql

from .models import Item

MOST = 20_000


class Known(NamedTuple):
    item: Item
    # PostgreSQL's own: another one after every update.
    version: str


_NAMES, _COLUMNS = sql.columns(Item)
READ = (
    f"SELECT items_item.xmin::text, {_COLUMNS} FROM items_item"
    " WHERE company_id = $1 AND sku = ANY($2)"
)
_known: dict[tuple[int, str], Known] = {}


def items_of(company_id: int, skus: Collection[str], *, fresh: bool = False) -> dict[str, Known]:
    """The company's items by SKU; `fresh`: as they are now. What is unknown is left out."""
    kept = {} if fresh else {sku: _known.get((company_id, sku)) for sku in skus}
    found = {sku: known for sku, known in kept.items() if known is not None}
    missing = [sku for sku in skus if sku not in found]
    return found | _read(company_id, missing) if missing else found


def _read(company_id: int, skus: list[str]) -> dict[str, Known]:
    rows = sql.fetch_all(READ, [company_id, skus])
    read = [Known(sql.loaded(Item, _NAMES, fields), version) for version, *fields in rows]
    if len(_known) + len(read) > MOST:
        _known.clear()
    _known.update({(company_id, known.item.sku): known for known in read})
    return {known.item.sku: known for known in read}


def forget() -> None:
    """Read the items again at once."""
    _known.clear()
