from typing import Any

from django.core.management.base import CommandParser

from monitoring.console import ServiceCommand, add_company, invoice_named
from monitoring.history import history_of


class Command(ServiceCommand):
    help = (
        "Show one sale or credit note: its state, every call to KRA with code and time, the cause "
        "of trouble and the next step."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="REFERENCE|ID", help="the till's reference, or our id")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        for line in history_of(invoice_named(options["name"], options["company"])):
            self.say(line)
