from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.errors import DomainError
from devices.models import Device
from monitoring.console import ServiceCommand, add_company, device_named, told
from outbox import restored


class Command(ServiceCommand):
    help = (
        "After a copy was restored: ask KRA where each device's counter stands, adopt what it "
        "signed of our waiting sales, set the counter, and let the device send again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("device", metavar="DEVICE", nargs="?", help="serial number")
        which.add_argument("--all", action="store_true", help="every device that is held back")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        held = Device.objects.filter(state=Device.State.RESTORED).order_by("pk")
        if not options["all"]:
            held = held.filter(pk=device_named(options["device"], options["company"]).pk)
        failed = 0
        for device in held:
            try:
                last = restored.resume(device)
            except DomainError as error:
                failed += 1
                self.say(f"{device.serial}: stays held back. {told(error)}")
            else:
                state = Device.objects.get(pk=device.pk).state
                self.say(f"{device.serial}: last number {last}; it is {state}.")
        if failed:
            raise CommandError(f"{failed} devices stay held back.")
