from getpass import getuser
from typing import Any

from django.core.management.base import CommandParser

from monitoring.console import ServiceCommand, add_company, device_named
from monitoring.journal.resuming import resume


class Command(ServiceCommand):
    help = (
        "Go on with a device's journal after a break. A signed entry says what was broken and why "
        "it goes on; the verifiers name it ever after, and check what follows."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", required=True, metavar="SERIAL")
        parser.add_argument("--reason", required=True, help="signed, for the auditor")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        device = device_named(options["device"], options["company"])
        number = resume(device, reason=options["reason"], by=f"{getuser()} at the command line")
        self.say(f"{device.serial}: goes on with entry {number}.")
        self.say("Next: manage.py verify_journal, and hand the new export to who holds an old one.")
