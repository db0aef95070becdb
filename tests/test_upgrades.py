"""Migrations run while the version before still serves: what it writes must go on to be taken.

During a rolling restart the schema is the new one and half of the processes are the old ones. So a
release only widens the schema; what nobody uses any more goes one release later.
"""

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from sales.models import Invoice, Receipt

# The last version that is in use: its code must be able to write into the schema of this one. Move
# it forward when a version is released.
LANDED = [
    ("companies", "0002_initial"),
    ("devices", "0001_initial"),
    ("items", "0001_initial"),
    ("monitoring", "0001_initial"),
    ("outbox", "0001_initial"),
    ("sales", "0001_initial"),
]
OURS = {"companies", "devices", "outbox", "items", "sales", "purchases", "monitoring"}
# Tables that grow with every sale: a lock on them that lasts as long as a look at all their rows is
# an outage.
BIG = {
    ("devices", "call"),
    ("items", "stockmovement"),
    ("items", "stockmovementline"),
    ("monitoring", "delivery"),
    ("monitoring", "event"),
    ("monitoring", "journalentry"),
    ("outbox", "transmission"),
    ("sales", "invoice"),
    ("sales", "invoiceline"),
    ("sales", "receipt"),
    ("sales", "receiptprint"),
}
TAKES_AWAY = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)
# Columns that a trigger fills in for a program that does not know them.
FILLED_BY_TRIGGER = {("sales_receipt", "device_id")}
# (app, migration, what) that may stay as it is, with the reason.
ALLOWED = {
    ("items", "0002_the_whole_oscu", "AddConstraint movement_sent_has_transmission"):
        "before the first installation grew; it is wider than the one it replaces",
    ("items", "0002_the_whole_oscu", "AddField stockmovement.counterpart"): "as above",
    ("items", "0002_the_whole_oscu", "AddField stockmovement.departure"): "as above",
    ("sales", "0005_z_reports", "AddIndex invoice_training"): "as above",
    ("sales", "0005_z_reports", "AddIndex invoice_voided"): "as above",
    ("sales", "0005_z_reports", "AddIndex print_unofficial"): "as above: a table of this release",
    ("sales", "0007_z_on_receipts", "AddField receipt.device"): "before the first one grew",
    ("sales", "0007_z_on_receipts", "AddField receipt.device without db_default"):
        "a trigger fills it in (0008); the schema's test knows it",
    ("sales", "0007_z_on_receipts", "AddField receipt.z"): "before the first one grew",
    ("sales", "0007_z_on_receipts", "AddIndex receipt_uncounted"): "as above",
    ("sales", "0007_z_on_receipts", "AddIndex receipt_z"): "as above",
    ("sales", "0007_z_on_receipts", "AddConstraint print_id_once_proforma"):
        "as above: a table of this release",
    ("sales", "0007_z_on_receipts", "Delete model ZDocument"): "a table of this release",
}  # fmt: skip


def is_safe_to_omit(field: "models.Field") -> bool:
    """Whether PostgreSQL fills the column in for a program that does not know it."""
    generated = getattr(field, "identity", False) or field.primary_key
    return bool(field.null or field.has_db_default() or field.many_to_many or generated)


def release(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Our migrations since the landed version, in the order in which they run."""
    before = {node for landed in LANDED for node in loader.graph.forwards_plan(landed)}
    plan: list[tuple[str, str]] = []
    for leaf in loader.graph.leaf_nodes():
        plan += [n for n in loader.graph.forwards_plan(leaf) if n not in plan]
    return [node for node in plan if node[0] in OURS and node not in before]


def locked(operation: Operation, app: str) -> str:
    """What the operation holds a big table for, while it looks at every row; or nothing."""
    name = getattr(operation, "model_name", "").lower()
    if (app, name) not in BIG:
        return ""
    if isinstance(operation, operations.AddIndex) and not isinstance(
        operation, AddIndexConcurrently
    ):
        return f"AddIndex {operation.index.name}"
    if isinstance(operation, operations.AddConstraint) and not isinstance(
        operation, AddConstraintNotValid
    ):
        return f"AddConstraint {operation.constraint.name}"
    if isinstance(operation, operations.AddField) and operation.field.is_relation:
        return f"AddField {name}.{operation.name}"
    return ""


def taken_away(operation: Operation) -> str:
    if isinstance(operation, TAKES_AWAY):
        return operation.describe()
    return ""


def not_filled_in(operation: Operation, app: str) -> str:
    """A column that an insert of the version before leaves empty, and the database as well."""
    if not isinstance(operation, (operations.AddField, operations.AlterField)):
        return ""
    name = f"{operation.model_name}.{operation.name}".lower()
    try:
        # As it is after all migrations: a later one may have put things right.
        field = apps.get_model(app, operation.model_name)._meta.get_field(operation.name)
    except LookupError:
        return ""
    if isinstance(operation, operations.AlterField) and not operation.field.null:
        return ""  # nothing says here that it was null before; the schema's test does
    return "" if is_safe_to_omit(field) else f"AddField {name} without db_default"


def faults(loader: MigrationLoader) -> list[tuple[str, str, str]]:
    found = []
    for app, name in release(loader):
        made: set[str] = set()
        for operation in loader.disk_migrations[app, name].operations:
            if isinstance(operation, operations.CreateModel):
                made.add(operation.name.lower())
            if getattr(operation, "model_name", "").lower() in made:
                continue  # a table of this very migration: nobody writes to it yet
            for judge in (
                taken_away(operation),
                locked(operation, app),
                not_filled_in(operation, app),
            ):
                found += [(app, name, judge)] if judge else []
    return found


@pytest.fixture(scope="module")
def loader():
    return MigrationLoader(None, ignore_no_migrations=True)


def test_no_migration_locks_out_or_breaks_the_version_before(loader):
    """docs/scaling.md says what to write instead; ALLOWED takes what is harmless, with a reason."""
    assert [fault for fault in faults(loader) if fault not in ALLOWED] == []


def test_what_is_allowed_is_still_there(loader):
    assert set(ALLOWED) <= set(faults(loader))


def columns_of(state: ProjectState) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for model in state.apps.get_models(include_auto_created=True):
        if model._meta.app_label in OURS:
            fields = model._meta.local_concrete_fields
            found[model._meta.db_table] = {field.column for field in fields}
    return found


@pytest.mark.django_db
def test_the_landed_version_can_write_into_this_schema(loader):
    before = columns_of(loader.project_state(LANDED))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, is_nullable = 'YES' OR column_default IS NOT NULL"
            " OR is_identity = 'YES' FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
        )
        now = cursor.fetchall()
    here = {(table, column) for table, column, _ in now}

    gone = {(t, c) for t, names in before.items() for c in names if (t, c) not in here}
    unfilled = {
        (table, column)
        for table, column, is_filled in now
        if table in before and column not in before[table] and not is_filled
    }

    assert gone == set()
    assert unfilled == FILLED_BY_TRIGGER


def test_a_receipt_of_the_landed_version_finds_its_device(open_till):
    open_till().sell("R-1")
    invoice = Invoice.objects.get()

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sales_receipt (invoice_id, number, receipt_number, total_receipts,"
            " internal_data, signature, signed_at, scu_id, created_at)"
            " VALUES (%s, 1, 1, 1, 'D', 'S', now(), 'KRACU1', now())",
            [invoice.pk],
        )

    assert Receipt.objects.get().device_id == invoice.device_id
