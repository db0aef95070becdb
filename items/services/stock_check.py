"""Do the levels say what the movements add up to?"""

from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction

# One statement sees one state of both tables; a level and its movement are written together.
COMPARE = """
    WITH summed AS (
        SELECT movement.branch_id, line.item_id,
            coalesce(sum(signed) FILTER (WHERE movement.state <> 'refused'), 0) AS level,
            coalesce(sum(signed) FILTER (WHERE movement.state = 'accepted'), 0) AS kra_level
        FROM items_stockmovement movement
        JOIN items_stockmovementline line ON line.movement_id = movement.id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN movement.type < '10' THEN quantity ELSE -quantity END AS signed
        ) sign
        GROUP BY movement.branch_id, line.item_id
    )
    SELECT branch_id, item_id,
        coalesce(held.level, 0), coalesce(summed.level, 0),
        coalesce(held.kra_level, 0), coalesce(summed.kra_level, 0)
    FROM summed FULL JOIN items_stocklevel held USING (branch_id, item_id)
    WHERE (coalesce(held.level, 0), coalesce(held.kra_level, 0))
        <> (coalesce(summed.level, 0), coalesce(summed.kra_level, 0))
    ORDER BY branch_id, item_id
"""
REPAIR = """
    INSERT INTO items_stocklevel (branch_id, item_id, level, kra_level) VALUES (%s, %s, %s, %s)
    ON CONFLICT (branch_id, item_id) DO UPDATE
    SET level = excluded.level, kra_level = excluded.kra_level
"""


class WrongLevel(NamedTuple):
    branch_id: int
    item_id: int
    level: Decimal
    summed: Decimal
    kra_level: Decimal
    kra_summed: Decimal


def wrong_levels() -> list[WrongLevel]:
    with connection.cursor() as cursor:
        cursor.execute(COMPARE)
        return [WrongLevel(*row) for row in cursor.fetchall()]


@transaction.atomic
def repair_levels() -> list[WrongLevel]:
    """Set the wrong levels to the sums; return what was wrong. Bookings wait meanwhile."""
    with connection.cursor() as cursor:
        # Whoever has changed a level is waited for; whoever is about to waits for us.
        cursor.execute("LOCK TABLE items_stocklevel IN SHARE ROW EXCLUSIVE MODE")
        wrong = wrong_levels()
        for one in wrong:
            cursor.execute(REPAIR, [one.branch_id, one.item_id, one.summed, one.kra_summed])
    return wrong
