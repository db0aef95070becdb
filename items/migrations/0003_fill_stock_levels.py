from django.db import migrations

# What the movements so far add up to.
FILL = """
    INSERT INTO items_stocklevel (branch_id, item_id, level, kra_level)
    SELECT branch_id, item_id,
        coalesce(sum(signed) FILTER (WHERE state <> 'refused'), 0),
        coalesce(sum(signed) FILTER (WHERE state = 'accepted'), 0)
    FROM (
        SELECT movement.branch_id, line.item_id, movement.state,
            CASE WHEN movement.type < '10' THEN quantity ELSE -quantity END AS signed
        FROM items_stockmovementline line
        JOIN items_stockmovement movement ON movement.id = line.movement_id
    ) moved
    GROUP BY branch_id, item_id
"""


class Migration(migrations.Migration):
    dependencies = [("items", "0002_the_whole_oscu")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
