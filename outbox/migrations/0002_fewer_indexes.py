import django.db.models.deletion
from django.db import migrations, models

from core.upgrades import DropIndexOfForeignKey


class Migration(migrations.Migration):
    # Another index begins with the same columns, or nobody looks rows up by them.
    atomic = False

    dependencies = [
        ('devices', '0005_fewer_indexes'),
        ('outbox', '0001_initial'),
    ]

    operations = [
        DropIndexOfForeignKey(
            model_name='lane',
            name='device',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lanes', to='devices.device'),
        ),
        DropIndexOfForeignKey(
            model_name='transmission',
            name='lane',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='transmissions', to='outbox.lane'),
        ),
    ]
