"""Whether migrations newer than the last release may run while the old version works on.

Usage: python -m local.migration_lint [--release]   (--release: all there are now are released)

A migration that a person has weighed says so in its class: `weighed = "why it is safe"`. It reads
operations, not plans: how long a statement takes on your tables only your tables can tell.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from local.console import say
from local.paths import ROOT

RELEASED = ROOT / "local/released_migrations.txt"
TWICE = "the old version still uses it: stop using it in one release, remove it in the next"
LOCKS = "writes wait while it is built: use AddIndexConcurrently, atomic = False"


def plan() -> list[Any]:
    """All migrations of ours in the order in which they run. Nothing is asked of a database."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {app.label for app in apps.get_app_configs() if Path(app.path).parent == ROOT}
    keys: dict[Any, None] = {}
    for leaf in loader.graph.leaf_nodes():
        keys.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    found = [loader.graph.nodes[key] for key in keys]
    return [each for each in found if each.app_label in ours]


def findings(migrations: Sequence[Any], released: set[str]) -> Iterator[str]:
    from django.db.migrations.state import ProjectState

    state, new_tables = ProjectState(), set[tuple[str, str]]()
    for migration in migrations:
        label = migration.app_label
        name = f"{label}.{migration.name}"
        for operation in migration.operations:
            if name not in released:
                for trouble in _weigh(operation, label, state, new_tables):
                    if not getattr(migration, "weighed", ""):
                        yield f"{name}: {operation.describe()}: {trouble}"
            operation.state_forwards(label, state)


def _weigh(operation: Any, label: str, state: Any, new: set[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with it, unless its table is as new as itself: nobody uses that yet."""
    kind = type(operation).__name__
    if kind == "CreateModel":
        new.add((label, operation.name_lower))
        return
    model = getattr(operation, "model_name_lower", None) or getattr(operation, "name_lower", "")
    if (label, model) in new:
        return
    check = CHECKS.get(kind)
    if check is not None:
        yield from check(operation, (label, model), state)
    elif kind not in HARMLESS:
        yield "nothing is known about this operation: weigh it"


HARMLESS = {
    *("AddIndexConcurrently", "RemoveIndexConcurrently", "AddConstraintNotValid"),
    *("ValidateConstraint", "AlterModelOptions", "AlterModelManagers", "RemoveConstraint"),
    *("RenameIndex", "AlterModelTableComment", "DropIndexOfForeignKey"),
}


def _add_field(operation: Any, model: tuple[str, str], state: Any) -> Iterator[str]:
    from django.db.models import NOT_PROVIDED

    field = operation.field
    if field.many_to_many:
        return
    if not field.null and field.db_default is NOT_PROVIDED:
        yield "the old version's inserts do not name it: null=True, or a db_default"
    if field.unique or field.db_index:
        yield f"{LOCKS}; for a foreign key: db_index=False and an index of its own"


def _alter_field(operation: Any, model: tuple[str, str], state: Any) -> Iterator[str]:
    before = state.models[model].fields[operation.name]
    if _in_database(before) != _in_database(operation.field):
        yield "it may rewrite the table or refuse what the old version writes: weigh it"


def _in_database(field: Any) -> tuple[str, list[Any], dict[str, Any]]:
    _, path, arguments, options = field.deconstruct()
    kept = {name: value for name, value in options.items() if name not in field.non_db_attrs}
    # Of an array.
    if "base_field" in kept:
        kept["base_field"] = _in_database(kept["base_field"])
    return path, list(arguments), kept


def _add_constraint(operation: Any, model: tuple[str, str], state: Any) -> Iterator[str]:
    if type(operation.constraint).__name__ == "CheckConstraint":
        yield "every row is read under a lock: AddConstraintNotValid, then ValidateConstraint"
    else:
        yield "an index is built under a lock: build it concurrently, then attach it"


def _says(trouble: str) -> Any:
    def check(operation: Any, model: tuple[str, str], state: Any) -> Iterator[str]:
        yield trouble

    return check


def _separate(operation: Any, model: tuple[str, str], state: Any) -> Iterator[str]:
    if operation.database_operations:
        yield "what the database does differs from what is declared: weigh it"


CHECKS = {
    "AddField": _add_field,
    "AlterField": _alter_field,
    "AddConstraint": _add_constraint,
    "AddIndex": _says(LOCKS),
    "RemoveIndex": _says("use RemoveIndexConcurrently, atomic = False"),
    "RemoveField": _says(TWICE),
    "RenameField": _says(TWICE),
    "RenameModel": _says(TWICE),
    "DeleteModel": _says(TWICE),
    "AlterModelTable": _says(TWICE),
    "RunSQL": _says("only a person can say what it locks: weigh it"),
    "RunPython": _says("only a person can say how long it takes: weigh it"),
    "SeparateDatabaseAndState": _separate,
}


def read_released() -> set[str]:
    lines = RELEASED.read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def main(argv: Sequence[str]) -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
    django.setup()
    migrations = plan()
    names = [f"{each.app_label}.{each.name}" for each in migrations]
    if "--release" in argv:
        header = RELEASED.read_text(encoding="utf-8").split("\n", 1)[0]
        RELEASED.write_text("\n".join([header, *sorted(names), ""]), encoding="utf-8")
        return 0
    released = read_released()
    if not released:
        say(f"Nothing is released yet: all {len(names)} migrations run on an empty database.")
        return 0
    found = list(findings(migrations, released))
    for line in found:
        say(line)
    newer = len([name for name in names if name not in released])
    say(f"{len(found)} to weigh" if found else f"{newer} migrations since the release: none locks.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
