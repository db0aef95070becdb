from django.apps import AppConfig


class CompaniesConfig(AppConfig):
    name = "companies"

    def ready(self) -> None:
        from . import openapi  # noqa: F401  (registers the token scheme)
