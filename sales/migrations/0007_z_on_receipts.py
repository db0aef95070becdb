import django.db.models.deletion
from django.db import migrations, models

FILL = """
    SET CONSTRAINTS ALL IMMEDIATE;
    UPDATE sales_receipt receipt SET device_id = sold.device_id, z_id = counted.z_id
    FROM sales_invoice sold LEFT JOIN sales_zdocument counted ON counted.invoice_id = sold.id
    WHERE sold.id = receipt.invoice_id;
    SET CONSTRAINTS ALL DEFERRED;
"""
EMPTY = """
    INSERT INTO sales_zdocument (invoice_id, z_id)
    SELECT invoice_id, z_id FROM sales_receipt WHERE z_id IS NOT NULL;
"""
SUM = """
    INSERT INTO sales_zitem (
        company_id, device_id, z_id, day, item_id, kind, letter, rate, quantity, total
    )
    SELECT sold.company_id, sold.device_id, receipt.z_id,
        (sold.sold_at AT TIME ZONE 'Africa/Nairobi')::date, line.item_id, sold.kind, line.letter,
        line.rate, sum(line.quantity), sum(line.total)
    FROM sales_receipt receipt
    JOIN sales_invoice sold ON sold.id = receipt.invoice_id
    JOIN sales_invoiceline line ON line.invoice_id = sold.id
    WHERE receipt.z_id IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
"""
# A Z takes its receipts and sums its items first and is stored last. So whatever names a Z that
# exists came too late. The conditions keep the functions from being called for ordinary receipts.
GUARD = """
    CREATE FUNCTION sales_z_takes_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM sales_zreport WHERE id = NEW.z_id) THEN
            RAISE EXCEPTION 'a Z report is final: % of % is refused', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER z_receipt_is_final BEFORE UPDATE OR DELETE ON sales_receipt
        FOR EACH ROW WHEN (OLD.z_id IS NOT NULL) EXECUTE FUNCTION sales_z_is_final();
    CREATE TRIGGER z_receipt_added BEFORE INSERT OR UPDATE ON sales_receipt
        FOR EACH ROW WHEN (NEW.z_id IS NOT NULL) EXECUTE FUNCTION sales_z_takes_no_more();
    CREATE TRIGGER z_item_is_final BEFORE UPDATE OR DELETE ON sales_zitem
        FOR EACH ROW EXECUTE FUNCTION sales_z_is_final();
    CREATE TRIGGER z_item_added BEFORE INSERT ON sales_zitem
        FOR EACH ROW EXECUTE FUNCTION sales_z_takes_no_more();
"""
UNGUARD = """
    DROP TRIGGER z_item_added ON sales_zitem;
    DROP TRIGGER z_item_is_final ON sales_zitem;
    DROP TRIGGER z_receipt_added ON sales_receipt;
    DROP TRIGGER z_receipt_is_final ON sales_receipt;
    DROP FUNCTION sales_z_takes_no_more();
"""


def foreign_key(to, related_name, **options):
    return models.ForeignKey(
        to=to, on_delete=django.db.models.deletion.PROTECT, related_name=related_name, **options
    )


class Migration(migrations.Migration):
    """Which Z counted a document moves from a table of its own to the receipt, where a partial
    index finds what none has counted; and a Z sums its items.
    """

    dependencies = [
        ('companies', '0005_reports_write_scope'),
        ('devices', '0001_initial'),
        ('items', '0001_initial'),
        ('sales', '0006_additive'),
    ]

    operations = [
        migrations.AddField('receipt', 'device', foreign_key('devices.device', '+', null=True, db_index=False)),
        migrations.AddField('receipt', 'z', foreign_key('sales.zreport', 'receipts', null=True, db_index=False)),
        migrations.RunSQL(FILL, EMPTY),
        migrations.AlterField('receipt', 'device', foreign_key('devices.device', '+', db_index=False)),
        migrations.DeleteModel('ZDocument'),
        migrations.CreateModel(
            name='ZItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('kind', models.CharField(max_length=11)),
                ('letter', models.CharField(max_length=1)),
                ('rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('quantity', models.DecimalField(decimal_places=2, max_digits=18)),
                ('total', models.DecimalField(decimal_places=2, max_digits=20)),
                ('company', foreign_key('companies.company', '+', db_index=False)),
                ('device', foreign_key('devices.device', '+', db_index=False)),
                ('item', foreign_key('items.item', '+', db_index=False)),
                ('z', foreign_key('sales.zreport', 'items')),
            ],
        ),
        migrations.RunSQL(SUM, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(condition=models.Q(('z', None)), fields=['device'], name='receipt_uncounted'),
        ),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(condition=models.Q(('z__isnull', False)), fields=['z'], name='receipt_z'),
        ),
        migrations.AddIndex(
            model_name='zitem',
            index=models.Index(fields=['company', 'day'], name='z_item_company'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.AddIndex(
            model_name='receiptemail',
            index=models.Index(condition=models.Q(('requested_by', ''), _negated=True), fields=['company', 'address', 'created_at'], name='email_asked'),
        ),
        # Until now they meant nothing, so they need not be unique.
        migrations.RunSQL("UPDATE sales_receiptprint SET print_id = '' WHERE label = 'PS'", migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='receiptprint',
            constraint=models.UniqueConstraint(condition=models.Q(('invoice', None), models.Q(('print_id', ''), _negated=True)), fields=('device', 'print_id'), name='print_id_once_proforma'),
        ),
    ]
