from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from devices.models import Device
from items import services
from kra.errors import KRAError


class Command(BaseCommand):
    help = "Pull KRA's code and classification lists through a company's first active device."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", required=True, metavar="PIN")

    def handle(self, *args: Any, **options: Any) -> None:
        devices = Device.objects.filter(company__pin=options["company"], state=Device.State.ACTIVE)
        device = devices.select_related("company", "branch").order_by("pk").first()
        if device is None:
            raise CommandError(f"{options['company']} has no active device.")
        try:
            changes = services.sync_codes(device)
        except (KRAError, DomainError) as error:
            raise CommandError(f"KRA's lists were not pulled. {error}") from error
        for name, change in changes.items():
            self.stdout.write(f"{name}: {change}")
