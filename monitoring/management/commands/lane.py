from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from kra.times import NAIROBI
from monitoring.backlog import LaneOutput, Lanes, lane_outputs
from monitoring.console import ServiceCommand, add_company, device_named
from outbox.models import Breaker, Lane


class Command(ServiceCommand):
    help = (
        "Show the lanes of a device: the last number KRA accepted, what waits and since when, the "
        "message at the head, why it does not move and what to do, and who drains it now."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", metavar="DEVICE", help="serial number")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        device, now = device_named(options["device"], options["company"]), timezone.now()
        silent = set(Breaker.objects.filter(is_open=True).values_list("host", flat=True))
        lanes = Lanes.read([device], since=now, now=now)
        self.say(f"{device.serial} of {device.company.pin}, branch {device.branch.code}:")
        self.say(f"  state {device.state} {device.state_reason}".rstrip())
        if not lanes.rows:
            self.say("  It has sent nothing yet, so there are no lanes.")
        outputs = lane_outputs(lanes, {device.pk: device}, silent, now=now)
        for lane, output in zip(lanes.rows, outputs, strict=True):
            self._tell(lane, output)

    def _tell(self, lane: Lane, output: LaneOutput) -> None:
        self.say(f"{output.stream} (lane {lane.pk}): last number {output.last_number}")
        age = "" if output.oldest_waiting_s is None else f", the oldest {output.oldest_waiting_s} s"
        self.say(f"  waiting: {output.waiting}{age}")
        head = output.head
        if head is not None:
            due = f"{head.next_attempt_at.astimezone(NAIROBI):%d/%m/%Y %H:%M:%S}"
            self.say(
                f"  head: {head.kind} {head.reference} {head.status}, {head.attempts} attempts, "
                f"due {due} {head.error_code}".rstrip()
            )
        if output.blocked:
            self.say(f"  blocked: {output.blocked}. Next: {output.next_step}")
        self.say(f"  worker: {_lease(lane)}")


def _lease(lane: Lane) -> str:
    if lane.lease_until is None or lane.lease_until < timezone.now():
        return "none"
    return f"{lane.lease_owner} until {lane.lease_until.astimezone(NAIROBI):%H:%M:%S}"
