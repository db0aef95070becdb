"""How much of an item is in a branch, kept beside the movements it is the sum of.

A level changes in the transaction that changes a movement, by one upsert that adds: no lock is
taken before it, and rows of several items are touched in one order. `manage.py check_stock` sums
the movements anew.
"""

from collections.abc import Iterable
from decimal import Decimal

from django.db import models

from companies.models import Branch, TenantQuerySet
from core import sql
from core.money import ZERO

from .catalogue import Item

# The signed quantities of one movement, added $2 times to our level and $3 times to KRA's.
SHIFT = """
    INSERT INTO items_stocklevel AS held (branch_id, item_id, level, kra_level)
    SELECT movement.branch_id, line.item_id, line.signed * $2::int, line.signed * $3::int
    FROM items_stockmovement movement
    CROSS JOIN LATERAL (
        SELECT item_id, CASE WHEN movement.type < '10' THEN quantity ELSE -quantity END AS signed
        FROM items_stockmovementline WHERE movement_id = movement.id
    ) line
    WHERE movement.id = $1
    ORDER BY line.item_id
    ON CONFLICT (branch_id, item_id) DO UPDATE
    SET level = held.level + excluded.level, kra_level = held.kra_level + excluded.kra_level
"""


class StockLevelQuerySet(TenantQuerySet["StockLevel"]):
    company_path = "item__company_id"

    def held_by_kra(self, *, branch_id: int, item_ids: Iterable[int]) -> dict[int, Decimal]:
        """What KRA has accepted so far, by item; an item without a row is left out."""
        mine = self.filter(branch=branch_id, item__in=list(item_ids))
        return dict(mine.values_list("item", "kra_level"))

    def at_kra(self, *, branch_id: int, item_id: int) -> Decimal:
        return self.held_by_kra(branch_id=branch_id, item_ids=[item_id]).get(item_id, ZERO)


class StockLevel(models.Model):
    """The sums of one item's movements in one branch.

    `level`: all but the refused ones. `kra_level`: those that KRA has accepted.
    """

    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="stock_levels")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="stock_levels")
    level = models.DecimalField(max_digits=20, decimal_places=2, default=ZERO)
    kra_level = models.DecimalField(max_digits=20, decimal_places=2, default=ZERO)

    objects = StockLevelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["branch", "item"], name="stock_level_once"),
        ]
        indexes = [models.Index(fields=["item", "branch"], name="stock_level_item")]

    def __str__(self) -> str:
        return f"{self.branch_id}/{self.item_id}: {self.level}, at KRA {self.kra_level}"

    @property
    def pending(self) -> Decimal:
        """What KRA has not decided about yet."""
        return self.level - self.kra_level


def shift_levels(movement_id: int, *, ours: int = 0, at_kra: int = 0) -> None:
    """Add a movement to the levels of its items, or take it out again (-1)."""
    sql.run(SHIFT, [movement_id, ours, at_kra])
