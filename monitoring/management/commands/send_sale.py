from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.api import parse
from monitoring.console import (
    STILL_WAITING,
    ServiceCommand,
    add_company,
    company_named,
    read_input,
    seconds,
    selling_device,
)
from monitoring.history import history_of
from outbox import doorbell
from outbox.waiting import wait_for
from sales.acceptance import create_sale
from sales.models import Invoice
from sales.receipts.formats import FORMATS
from sales.receipts.printing import Wanted, hand_out
from sales.schemas import SaleInput


class Command(ServiceCommand):
    help = (
        "Make one sale from a JSON file, as POST /api/sales/ takes it, and print its receipt once "
        "KRA has signed. Sending the same file again is harmless: the reference names the sale. "
        "Exit codes: 0 signed (or stored, with --wait 0), 1 refused, 3 stored and still waiting."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.json", help="- reads standard input")
        parser.add_argument(
            "--device", default="", metavar="SERIAL", help="default: the file's, or the only one"
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=10.0,
            metavar="SECONDS",
            help="deliver for so long (default 10); 0 stores it and leaves it to the workers",
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        company = company_named(options["company"])
        data = parse(read_input(options["file"]), SaleInput)
        device = selling_device(options["device"] or data.device, company)
        wait = seconds(options)
        with doorbell.held(wait > 0):
            accepted = create_sale(device, data)
        row = accepted.invoice.transmission
        if wait and row is not None and not row.is_settled:
            row = wait_for(row, wait)
            if not row.is_settled:
                doorbell.ring(row.lane_id)
        self._tell(Invoice.objects.whole().get(pk=accepted.invoice.pk), wait)

    def _tell(self, invoice: Invoice, wait: float) -> None:
        if invoice.status == "signed":
            paper = hand_out(invoice, Wanted(FORMATS["txt"], by="manage.py send_sale"))
            self.say(paper.body.decode())
            return
        if invoice.status == "training" or (invoice.status == "queued" and not wait):
            self.say(f"{invoice.reference} is stored: {invoice.status}.")
            return
        for line in history_of(invoice):
            self.say(line)
        code = 1 if invoice.status in ("refused", "conflict", "voided") else STILL_WAITING
        raise CommandError(
            f"{invoice.reference} is {invoice.status}.\n"
            f"Next: manage.py invoice {invoice.reference} shows why and what to do.",
            returncode=code,
        )
