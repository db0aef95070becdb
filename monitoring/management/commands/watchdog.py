import signal
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections

from monitoring.alerts import channels, watch
from monitoring.console import ServiceCommand


class Command(ServiceCommand):
    help = (
        "Watch this installation and tell people what is wrong (docs/alerts.md). A process of its "
        "own, with neither Celery nor Redis; with --once for a timer."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="look once, then end")
        parser.add_argument(
            "--interval", type=float, default=30.0, metavar="S", help="seconds between two looks"
        )
        parser.add_argument(
            "--test-channels", action="store_true", help="send a test to every channel, then end"
        )

    def act(self, options: dict[str, Any]) -> None:
        if options["test_channels"]:
            self._test()
        elif options["once"]:
            if not watch.look():
                raise CommandError("The database does not answer.\nNext: start PostgreSQL.")
        else:
            self._watch(max(1.0, options["interval"]))

    def _test(self) -> None:
        results = channels.test()
        if not results:
            raise CommandError(
                "No channel is set.\nNext: set ALERT_EMAIL_TO, ALERT_SLACK_URL or "
                "ALERT_WEBHOOK_URL (docs/alerts.md)."
            )
        for channel, trouble in results.items():
            self.say(f"{channel}: {trouble or 'told'}")
        if any(results.values()):
            raise CommandError("Not every channel took it.\nNext: correct its setting; try again.")

    def _watch(self, interval: float) -> None:
        leave = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: leave.set())
        self.say(f"Watching every {interval:g} s; channels: {channels.configured() or 'none'}.")
        while not leave.is_set():
            started = time.monotonic()
            close_old_connections()
            watch.look()
            # Whatever it saw: it looks. For the health checks of containers.
            Path(settings.WATCHDOG_STATE).with_suffix(".alive").touch()
            leave.wait(max(1.0, interval - (time.monotonic() - started)))
