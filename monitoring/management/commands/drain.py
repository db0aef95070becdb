import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitoring.console import (
    STILL_WAITING,
    ServiceCommand,
    add_company,
    company_named,
    device_named,
    seconds,
)
from outbox.delivery import drain
from outbox.models import Lane, Status, Transmission
from outbox.queries import due_lanes


class Command(ServiceCommand):
    help = (
        "Deliver what is due to KRA now, in this process: what a worker does. Safe beside running "
        "workers; a lane that one of them holds is left to it. Without options: every lane that "
        "is due. Exit code 3: something is due still, or a message waits for its next attempt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--device", default="", metavar="SERIAL", help="only its lanes")
        which.add_argument(
            "--lane", type=int, metavar="ID", help="only this one; manage.py lane shows the id"
        )
        parser.add_argument(
            "--seconds", type=float, default=60.0, help="stop after so long (default 60)"
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        lanes = chosen(options)
        until = time.monotonic() + seconds(options, "seconds")
        for lane in lanes:
            before = _accepted(lane)
            taken = drain(lane.pk, until=until)
            done = f"{_accepted(lane) - before} accepted" if taken else "a worker holds it"
            self.say(f"{lane.device.serial}/{lane.stream}: {done}, {_open(lane)} waiting")
        if not lanes:
            self.say("Nothing is due.")
        left = sum(_open(lane) for lane in lanes)
        if left:
            raise CommandError(
                f"{left} messages still wait.\nNext: manage.py lane SERIAL says why.",
                returncode=STILL_WAITING,
            )


def chosen(options: dict[str, Any]) -> list[Lane]:
    lanes = Lane.objects.select_related("device").order_by("device_id", "stream")
    if options["lane"] is not None:
        found = list(lanes.filter(pk=options["lane"]))
        if not found:
            raise CommandError(
                f"There is no lane {options['lane']}.\nNext: manage.py lane SERIAL shows the ids."
            )
        return found
    if options["device"]:
        return list(lanes.filter(device=device_named(options["device"], options["company"])))
    if options["company"]:
        lanes = lanes.filter(device__company=company_named(options["company"]))
    return list(lanes.filter(pk__in=list(due_lanes().values_list("pk", flat=True))))


def _open(lane: Lane) -> int:
    return Transmission.objects.filter(lane=lane).open().count()


def _accepted(lane: Lane) -> int:
    return Transmission.objects.filter(lane=lane, status=Status.ACCEPTED).count()
