from typing import Any

import msgspec
from django.core.management.base import CommandParser

from core.api import parse
from devices.initialisation import initialise
from devices.schemas import InitInput
from monitoring.console import ServiceCommand, add_company, branch_of, company_named


class Command(ServiceCommand):
    help = (
        "Initialise a device with KRA and keep the key that KRA gives out. It works once per "
        "device: an active one is shown as it is and KRA is not called. Never repeat it in a loop."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("serial", metavar="SERIAL", help="the serial number KRA approved")
        parser.add_argument(
            "--branch", required=True, metavar="CODE", help="its branch, such as 00"
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        wanted = {"serial": options["serial"], "branch": options["branch"]}
        data = parse(msgspec.json.encode(wanted), InitInput)
        company = company_named(options["company"])
        branch = branch_of(company, data.branch)
        device = initialise(company=company, branch=branch, serial=data.serial)
        self.say(f"{device.serial} is {device.state} for {company.pin}, branch {branch.code}.")
        self.say(f"Control unit: {device.scu_id}")
        self.say("Next: manage.py sync_items FILE.json")
