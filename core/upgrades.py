"""Operations for migrations that run while the version before works on (docs/upgrading.md)."""

from typing import Any

from django.db.migrations import AlterField


class DropIndexOfForeignKey(AlterField):
    """AlterField to db_index=False that drops the index and leaves the constraint alone.

    Django's own makes the constraint anew, and for that every row is read under a lock. Needs
    `atomic = False` in its migration.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, before: Any, after: Any
    ) -> None:
        _, _, name = self._of(app_label, schema_editor, before)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    def database_backwards(
        self, app_label: str, schema_editor: Any, before: Any, after: Any
    ) -> None:
        table, column, name = self._of(app_label, schema_editor, after)
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({column})"
        )

    def _of(self, app_label: str, schema_editor: Any, state: Any) -> tuple[str, str, str]:
        """Table, column and, as Django named it, the index; quoted."""
        model = state.apps.get_model(app_label, self.model_name)
        table, column = model._meta.db_table, model._meta.get_field(self.name).column
        name = schema_editor._create_index_name(table, [column], suffix="")
        quote = schema_editor.quote_name
        return quote(table), quote(column), quote(name)

    def describe(self) -> str:
        return f"Drop the index of {self.model_name}.{self.name}"
