"""The lint of migrations: what it finds, what it leaves alone."""

from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models

from local import migration_lint


def migration(name: str, *operations: Any, **attributes: Any) -> Any:
    made = type("Migration", (migrations.Migration,), {"operations": operations, **attributes})
    return made(name, "shop")


def table(name: str) -> Any:
    fields: list[tuple[str, Any]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=9)),
        ("kinds", ArrayField(models.CharField(max_length=9, choices=[("a", "a")]))),
    ]
    return migrations.CreateModel(name, fields)


FIRST = migration("0001", table("Till"))
INDEX = models.Index(fields=["name"], name="till_name")
CHECK = models.CheckConstraint(condition=models.Q(name__gt=""), name="till_named")
UNIQUE = models.UniqueConstraint(fields=["name"], name="till_unique")


def found(*operations: Any, released: tuple[str, ...] = ("shop.0001",), **attributes: Any) -> Any:
    newer = migration("0002", *operations, **attributes)
    return list(migration_lint.findings([FIRST, newer], set(released)))


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (migrations.AddIndex("till", INDEX), "AddIndexConcurrently"),
        (migrations.AddConstraint("till", CHECK), "AddConstraintNotValid"),
        (migrations.AddConstraint("till", UNIQUE), "built under a lock"),
        (migrations.AddField("till", "note", models.TextField(default="")), "db_default"),
        (migrations.AddField("till", "note", models.TextField(null=True, unique=True)), "writes"),
        (migrations.AlterField("till", "name", models.TextField()), "may rewrite"),
        (migrations.RemoveField("till", "name"), "still uses it"),
        (migrations.RenameField("till", "name", "title"), "still uses it"),
        (migrations.DeleteModel("Till"), "still uses it"),
        (migrations.RunSQL("SELECT 1"), "weigh it"),
        (migrations.RunPython(migrations.RunPython.noop), "weigh it"),
    ],
)
def test_it_finds_what_stops_the_old_version(operation, said):
    (line,) = found(operation)

    assert line.startswith("shop.0002: ")
    assert said in line


@pytest.mark.parametrize(
    "operation",
    [
        AddIndexConcurrently("till", INDEX),
        AddConstraintNotValid("till", CHECK),
        migrations.AddField("till", "note", models.TextField(null=True)),
        migrations.AddField("till", "note", models.TextField(db_default="")),
        migrations.AlterField("till", "name", models.CharField(max_length=9, help_text="x")),
        migrations.AlterField(
            "till",
            "kinds",
            ArrayField(models.CharField(max_length=9, choices=[("a", "a"), ("b", "b")])),
        ),
        migrations.AlterModelOptions("till", {"ordering": ["name"]}),
    ],
)
def test_it_leaves_alone_what_stops_nobody(operation):
    assert found(operation) == []


def test_a_table_that_is_as_new_stops_nobody():
    index = models.Index(fields=["name"], name="shelf_name")

    assert found(table("Shelf"), migrations.AddIndex("shelf", index)) == []


def test_what_is_released_is_not_read_again():
    newer = ("shop.0001", "shop.0002")

    assert found(migrations.RemoveField("till", "name"), released=newer) == []


def test_a_person_may_have_weighed_it():
    assert found(migrations.RunSQL("SELECT 1"), weighed="asks for one row") == []


def test_it_reads_all_migrations_of_ours(monkeypatch, tmp_path, capsys):
    names = [f"{each.app_label}.{each.name}" for each in migration_lint.plan()]
    assert {"companies.0001_initial", "sales.0001_initial"} <= set(names)
    assert not any(name.startswith("auth.") for name in names)
    file = tmp_path / "released.txt"
    file.write_text("# Why.\ncompanies.0001_initial\n")
    monkeypatch.setattr(migration_lint, "RELEASED", file)

    assert migration_lint.main([]) == 1
    assert migration_lint.main(["--release"]) == 0
    assert migration_lint.main([]) == 0
    assert migration_lint.read_released() == set(names)
    assert "none locks" in capsys.readouterr().out
