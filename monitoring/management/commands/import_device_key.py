from typing import Any

import msgspec
from django.core.management.base import CommandParser

from core.api import parse
from devices.schemas import ImportKeyInput, InitInput
from devices.services import import_key
from monitoring.console import (
    STDIN,
    ServiceCommand,
    add_company,
    branch_of,
    company_named,
    read_input,
)


class Command(ServiceCommand):
    help = (
        "Take over a device that was initialised elsewhere: store the key (cmcKey) that KRA gave "
        "out then. The key is read from standard input or a file, never from the arguments, and "
        "is never printed. A device in use is not overwritten."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("serial", metavar="SERIAL", help="the serial number KRA approved")
        parser.add_argument(
            "--branch", required=True, metavar="CODE", help="its branch, such as 00"
        )
        parser.add_argument(
            "--scu-id", required=True, help="the control unit's id (sdcId), printed on receipts"
        )
        parser.add_argument("--machine-number", default="", help="mrcNo, when you know it")
        parser.add_argument(
            "--key-file", default=STDIN, metavar="FILE", help="default: standard input"
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        company = company_named(options["company"])
        serial = {"serial": options["serial"], "branch": options["branch"]}
        parse(msgspec.json.encode(serial), InitInput)
        key = read_input(options["key_file"]).decode("utf-8", "replace").strip()
        wanted = {name: options[name] for name in ("branch", "scu_id", "machine_number")}
        data = parse(msgspec.json.encode(wanted | {"key": key}), ImportKeyInput)
        device = import_key(
            company=company,
            branch=branch_of(company, data.branch),
            serial=options["serial"],
            key=data.key,
            scu_id=data.scu_id,
            machine_number=data.machine_number,
        )
        self.say(f"{device.serial} is {device.state}; its key is stored encrypted.")
        self.say("Next: delete the file, then manage.py drain --device SERIAL or sell.")
