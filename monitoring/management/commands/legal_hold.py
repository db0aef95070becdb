from getpass import getuser
from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitoring.console import ServiceCommand, add_company, company_named, device_named
from monitoring.models import LegalHold
from monitoring.retention import holds


class Command(ServiceCommand):
    help = "Keep the records of a company or a device from being let go by age, or release them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["list", "place", "release"])
        parser.add_argument("id", nargs="?", type=int, help="of the hold to release")
        parser.add_argument("--device", default="", metavar="SERIAL", help="default: all of them")
        parser.add_argument("--reason", default="", help="kept for the auditor")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        who = f"{getuser()} at the command line"[:150]
        if options["what"] == "place":
            self._place(options, who)
        elif options["what"] == "release":
            self._release(options, who)
        for hold in LegalHold.objects.in_force().select_related("company", "device").order_by("pk"):
            whose = hold.device.serial if hold.device else "all devices"
            self.say(f"{hold.pk}  {hold.company.pin}  {whose}  {hold.placed_at:%F}  {hold.reason}")

    def _place(self, options: dict[str, Any], who: str) -> None:
        if options["device"]:
            device = device_named(options["device"], options["company"])
            holds.place(device.company, device, reason=options["reason"], by=who)
        else:
            company = company_named(options["company"])
            holds.place(company, None, reason=options["reason"], by=who)

    def _release(self, options: dict[str, Any], who: str) -> None:
        hold = LegalHold.objects.filter(pk=options["id"] or 0).first()
        if hold is None:
            raise CommandError("There is no such hold.\nNext: manage.py legal_hold list")
        holds.release(hold, reason=options["reason"], by=who)
