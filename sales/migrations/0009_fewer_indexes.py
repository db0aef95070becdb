import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from core.upgrades import DropIndexOfForeignKey


class Migration(migrations.Migration):
    # Another index begins with the same columns, or nobody looks rows up by them.
    atomic = False

    dependencies = [
        ('companies', '0008_additive'),
        ('devices', '0005_fewer_indexes'),
        ('items', '0005_import_matches'),
        ('outbox', '0002_fewer_indexes'),
        ('sales', '0008_receipts_of_the_version_before'),
    ]

    operations = [
        DropIndexOfForeignKey(
            model_name='invoice',
            name='company',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='companies.company'),
        ),
        DropIndexOfForeignKey(
            model_name='invoice',
            name='device',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='devices.device'),
        ),
        DropIndexOfForeignKey(
            model_name='invoice',
            name='original',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='sales.invoice'),
        ),
        DropIndexOfForeignKey(
            model_name='invoiceline',
            name='invoice',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='sales.invoice'),
        ),
        DropIndexOfForeignKey(
            model_name='invoiceline',
            name='item',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='items.item'),
        ),
        DropIndexOfForeignKey(
            model_name='invoiceline',
            name='original_line',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='sales.invoiceline'),
        ),
        AddIndexConcurrently(
            model_name='invoice',
            index=models.Index(condition=models.Q(('original__isnull', False)), fields=['original'], name='invoice_original'),
        ),
        AddIndexConcurrently(
            model_name='invoiceline',
            index=models.Index(condition=models.Q(('original_line__isnull', False)), fields=['original_line'], name='line_original'),
        ),
    ]
