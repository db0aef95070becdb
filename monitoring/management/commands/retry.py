from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitoring.console import STILL_WAITING, ServiceCommand, add_company, invoice_named, seconds
from monitoring.history import history_of
from outbox import doorbell
from outbox.waiting import wait_for
from sales import corrections
from sales.models import Invoice


class Command(ServiceCommand):
    help = (
        "Try a waiting sale again now instead of at its next attempt; one in conflict is looked "
        "up at KRA anew. Nothing is ever sent twice. Exit codes: 0 signed (or queued, with "
        "--wait 0), 1 refused or in conflict, 3 still waiting."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="REFERENCE|ID", help="the till's reference, or our id")
        parser.add_argument(
            "--wait",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help="deliver for so long (default 0: leave it to the workers)",
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        invoice = invoice_named(options["name"], options["company"])
        wait = seconds(options)
        with doorbell.held(wait > 0):
            corrections.retry(invoice)
        if wait and invoice.transmission is not None:
            row = wait_for(invoice.transmission, wait)
            if not row.is_settled:
                doorbell.ring(row.lane_id)
        invoice = Invoice.objects.whole().get(pk=invoice.pk)
        for line in history_of(invoice):
            self.say(line)
        if wait and invoice.status != "signed":
            code = 1 if invoice.status in ("refused", "conflict") else STILL_WAITING
            raise CommandError(f"It is {invoice.status}.\nNext: see above.", returncode=code)
