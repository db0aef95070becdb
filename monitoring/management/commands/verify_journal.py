from typing import Any

from django.core.management.base import CommandError, CommandParser

from devices.models import Device
from monitoring.console import ServiceCommand, add_company, device_named
from monitoring.journal.comparing import verify_device


class Command(ServiceCommand):
    help = (
        "Check the journal of one device, or of all: the chain, its signatures and checkpoints, "
        "and the calls, receipts, sales and Z reports that it speaks of. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", default="", metavar="SERIAL")
        parser.add_argument(
            "--key", default="", metavar="FINGERPRINT", help="of the device's first key"
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        devices = (
            [device_named(options["device"], options["company"])]
            if options["device"]
            else (Device.objects.select_related("company", "branch").order_by("pk"))
        )
        wrong = 0
        for device in devices:
            checker, findings = verify_device(device, pinned=options["key"])
            for finding in findings:
                self.say(f"{device.serial}: {finding}")
            word = f"{len(findings)} findings" if findings else "whole"
            self.say(f"{device.serial}: {word}, {checker.sequence} entries.")
            wrong += len(findings)
        if wrong:
            raise CommandError(
                f"The journal or what it speaks of was changed: {wrong} findings.\n"
                "Next: keep the database as it is, make a copy, and read docs/journal.md."
            )
