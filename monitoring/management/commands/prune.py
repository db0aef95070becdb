import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from monitoring.console import ServiceCommand
from monitoring.retention import pruning


class Command(ServiceCommand):
    help = (
        "Let go what is older than the settings say (docs/retention.md): the bodies of calls, and "
        "after years the frozen messages. Rows, receipts and the journal stay. It may be stopped "
        "and started again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument(
            "--seconds", type=float, default=settings.PRUNE_SECONDS, help="stop after so long"
        )

    def act(self, options: dict[str, Any]) -> None:
        until = time.monotonic() + options["seconds"]
        work = pruning.rehearse if options["dry_run"] else pruning.prune
        done = work(until=until)
        stay = done.pop("stay", 0)
        parts = [f"{count} {what}" for what, count in sorted(done.items()) if count]
        verb = "Would go" if options["dry_run"] else "Gone"
        self.say(f"{verb}: {', '.join(parts) or 'nothing'}.")
        if stay:
            self.say(
                f"{stay} are old enough and stay: not settled, not in the journal yet, or not what "
                "the journal says.\nNext: manage.py verify_journal; docs/retention.md."
            )
        if time.monotonic() >= until:
            self.say("Time was up. Next: run it again, it goes on where it stopped.")
