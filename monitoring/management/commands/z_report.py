from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandParser

from monitoring.console import ServiceCommand, add_company, device_named
from sales.errors import NotReady
from sales.reports.closing import close_day
from sales.reports.day import read_content
from sales.reports.sheets import day_sheet


def money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not (0 <= amount < 10**15 and amount == round(amount, 2)):
        raise ValueError(text)
    return amount


class Command(ServiceCommand):
    help = (
        "Close a day of one device: make its Z report, numbered and final, and show it. A day is "
        "closed once; what KRA signs later goes into the next Z."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", required=True, metavar="SERIAL", help="see /api/devices/")
        add_company(parser)
        parser.add_argument(
            "--day",
            type=date.fromisoformat,
            metavar="DAY",
            help="such as 2026-11-22; default: today",
        )
        parser.add_argument(
            "--opening-deposit", type=money, default=Decimal(0), metavar="KES",
            help="the cash that lay in the till when the day began",
        )  # fmt: skip

    def act(self, options: dict[str, Any]) -> None:
        device = device_named(options["device"], options["company"])
        if not device.key:
            raise NotReady(f"Device {device.serial!r} was never initialised.")
        z = close_day(
            device,
            day=options["day"],
            opening_deposit=options["opening_deposit"],
            by="manage.py z_report",
        )
        sheet = day_sheet(read_content(z))
        self.say(sheet.title)
        for label, value in sheet.facts:
            self.say(f"{label:<18}{value}")
        for table in sheet.tables:
            self.say(f"\n{table.title}")
            for first, *rest in table.rows:
                self.say(f"  {first!s:<46}" + "".join(f"{cell!s:>16}" for cell in rest))
        self.say(f"\nSHA-256 {z.sha256}")
