from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from . import checks, sql  # noqa: F401  (registers the system checks)

        sql.read_moments_fast()
