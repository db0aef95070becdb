from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "outbox"
    verbose_name_plural = "outbox"
