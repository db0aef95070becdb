import sys
from argparse import ArgumentTypeError
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError, CommandParser

from monitoring.console import STDIN, ServiceCommand, add_company, device_named
from monitoring.journal.export import lines, range_of


def moment(text: str) -> datetime:
    """A day in Nairobi begins at its midnight; a time without a zone is Nairobi's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date; write 2026-11-22 or …T15:00.") from error
    found = found if "T" in text or " " in text else datetime.combine(found.date(), time())
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo("Africa/Nairobi"))


class Command(ServiceCommand):
    help = (
        "Write a device's journal as JSON Lines for an auditor, who checks it with "
        "monitoring/journal/verify_export.py (docs/journal.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="- for standard output")
        parser.add_argument("--device", required=True, metavar="SERIAL")
        parser.add_argument("--from", dest="start", type=moment, help="recorded from this day on")
        parser.add_argument("--to", dest="end", type=moment, help="recorded before this day")
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        device = device_named(options["device"], options["company"])
        wanted = range_of(device, options["start"], options["end"])
        path = options["file"]
        try:
            if path == STDIN:
                sys.stdout.writelines(lines(wanted))
            else:
                with Path(path).open("w", encoding="utf-8", newline="\n") as file:
                    file.writelines(lines(wanted))
        except OSError as error:
            raise CommandError(
                f"{path} cannot be written: {error.strerror}.\nNext: name another file."
            ) from error
        if path != STDIN:
            count = max(0, wanted.last - wanted.first + 1)
            self.say(f"{device.serial}: {count} entries in {path}.")
            self.say(f"Next: python monitoring/journal/verify_export.py {path}")
