from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from companies.models import Environment
from items import services
from items.errors import RateNotHeld
from items.models import TaxRate


class Command(BaseCommand):
    help = "Approve a tax rate that KRA changed. Without --letter: list what waits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--environment", choices=Environment.values)
        parser.add_argument("--letter", choices=tuple("ABCDE"))
        parser.add_argument("--from", type=date.fromisoformat, dest="valid_from", metavar="DAY")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["letter"]:
            self._list()
            return
        if not options["environment"]:
            raise CommandError("Name the --environment.")
        try:
            rate = services.approve_rate(
                environment=options["environment"],
                letter=options["letter"],
                valid_from=options["valid_from"],
            )
        except RateNotHeld as error:
            raise CommandError(f"{error.message} {error.help}") from error
        self.stdout.write(f"{rate.environment}: {rate}")

    def _list(self) -> None:
        held = TaxRate.objects.held().order_by("environment", "letter")
        for rate in held:
            self.stdout.write(f"{rate.environment}: {rate}, not approved")
        if not held:
            self.stdout.write("No rate waits for approval.")
