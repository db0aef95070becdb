from django.db import migrations

# A version that does not know the column goes on storing receipts during a rolling restart.
FILL_IN = """
    CREATE FUNCTION sales_receipt_device() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.device_id := (SELECT device_id FROM sales_invoice WHERE id = NEW.invoice_id);
        RETURN NEW;
    END $$;
    CREATE TRIGGER receipt_device BEFORE INSERT ON sales_receipt
        FOR EACH ROW WHEN (NEW.device_id IS NULL) EXECUTE FUNCTION sales_receipt_device();
"""
TAKE_BACK = """
    DROP TRIGGER receipt_device ON sales_receipt;
    DROP FUNCTION sales_receipt_device();
"""


class Migration(migrations.Migration):
    dependencies = [("sales", "0007_z_on_receipts")]

    operations = [migrations.RunSQL(FILL_IN, TAKE_BACK)]
