from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from core.api import parse
from monitoring.console import ServiceCommand, add_company, device_named
from outbox import resync
from outbox.models import Lane, Stream
from outbox.views import ResyncInput


class Command(ServiceCommand):
    help = (
        "Set a device's counter right after an incident (a restored backup, a number used "
        "elsewhere). KRA is asked first and must confirm the number: it must know that one and "
        "not the next. Waiting sales that KRA holds already are adopted, never sent again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", metavar="DEVICE", help="serial number")
        parser.add_argument(
            "--to", required=True, type=int, metavar="N", help="the last number KRA accepted"
        )
        parser.add_argument("--reason", required=True, help="kept in the log, for the auditor")
        parser.add_argument(
            "--stream",
            default=Stream.FISCAL.value,
            choices=Stream.values,
            help="default: fiscal (sales and credit notes)",
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        wanted = {"last_number": options["to"], "reason": options["reason"]}
        data = parse(msgspec.json.encode(wanted), ResyncInput)
        device = device_named(options["device"], options["company"])
        lanes = Lane.objects.select_related("device__company", "device__branch")
        lane = lanes.filter(device=device, stream=options["stream"]).first()
        if lane is None:
            raise CommandError(
                f"{device.serial} has sent nothing on the stream {options['stream']} yet.\n"
                "Next: nothing; its counter starts at 1 by itself."
            )
        before = lane.last_number
        resync.resync_counter(lane, last_number=data.last_number, reason=data.reason)
        self.say(f"{device.serial}/{lane.stream}: last number {before} -> {data.last_number}.")
        self.say(f"Next: manage.py drain --device {device.serial}")
