import django.db.models.deletion
from django.db import migrations, models

from core.upgrades import DropIndexOfForeignKey


class Migration(migrations.Migration):
    # Another index begins with the same columns, or nobody looks rows up by them.
    atomic = False

    dependencies = [
        ('companies', '0008_additive'),
        ('devices', '0004_call_pruned_at'),
    ]

    operations = [
        DropIndexOfForeignKey(
            model_name='call',
            name='company',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='calls', to='companies.company'),
        ),
        DropIndexOfForeignKey(
            model_name='call',
            name='device',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='calls', to='devices.device'),
        ),
    ]
