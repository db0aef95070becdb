from typing import Any

import msgspec
from django.core.management.base import CommandParser

from core.api import parse
from monitoring.console import ServiceCommand, add_company, invoice_named
from sales import corrections
from sales.schemas import ReasonInput


class Command(ServiceCommand):
    help = (
        "Give up a sale that KRA surely does not have: refused, never sent, or training. A signed "
        "sale is undone with a credit note instead. Its reference stays taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="REFERENCE|ID", help="the till's reference, or our id")
        parser.add_argument("--reason", required=True, help="kept with the sale, for the auditor")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        data = parse(msgspec.json.encode({"reason": options["reason"]}), ReasonInput)
        invoice = invoice_named(options["name"], options["company"])
        corrections.void(invoice, reason=data.reason)
        self.say(f"{invoice.reference} is voided.")
