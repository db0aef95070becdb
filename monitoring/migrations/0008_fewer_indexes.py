import django.db.models.deletion
from django.db import migrations, models

from core.upgrades import DropIndexOfForeignKey


class Migration(migrations.Migration):
    # Another index begins with the same columns, or nobody looks rows up by them.
    atomic = False

    dependencies = [
        ('companies', '0008_additive'),
        ('devices', '0005_fewer_indexes'),
        ('monitoring', '0007_upkeep'),
        ('sales', '0008_receipts_of_the_version_before'),
    ]

    operations = [
        DropIndexOfForeignKey(
            model_name='delivery',
            name='endpoint',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='monitoring.endpoint'),
        ),
        DropIndexOfForeignKey(
            model_name='delivery',
            name='event',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='monitoring.event'),
        ),
        DropIndexOfForeignKey(
            model_name='event',
            name='company',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='companies.company'),
        ),
        DropIndexOfForeignKey(
            model_name='event',
            name='device',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='devices.device'),
        ),
        DropIndexOfForeignKey(
            model_name='event',
            name='invoice',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='sales.invoice'),
        ),
        DropIndexOfForeignKey(
            model_name='journalentry',
            name='device',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='journal', to='devices.device'),
        ),
        DropIndexOfForeignKey(
            model_name='journalentry',
            name='key',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.signingkey'),
        ),
    ]
