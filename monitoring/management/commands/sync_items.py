from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.api import parse
from items import services
from items.rows import read_rows
from items.schemas import SyncInput
from items.services import Verdict
from monitoring.console import (
    ServiceCommand,
    add_company,
    company_named,
    device_named,
    problem_lines,
    read_input,
    seconds,
)
from outbox import doorbell


class Command(ServiceCommand):
    help = (
        "Create or update items from a JSON file and owe KRA what changed: a verdict per row; a "
        "refused row changes nothing and stops no other. Repeats change nothing. The file holds a "
        'list of rows, or {"items": [...]}, as POST /api/item/sync/ takes it.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.json", help="- reads standard input")
        parser.add_argument(
            "--device",
            default="",
            metavar="SERIAL",
            help="whose branch opening stock lies in; default: the head office's",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=10.0,
            metavar="SECONDS",
            help="deliver to KRA for so long (default 10); 0 leaves it to the workers",
        )
        add_company(parser)

    def act(self, options: dict[str, Any]) -> None:
        company = company_named(options["company"])
        serial = options["device"]
        device = device_named(serial, company.pin) if serial else None
        data = parse(_wrapped(read_input(options["file"])), SyncInput)
        wait = seconds(options)
        with doorbell.held(wait > 0):
            known = services.introduce(company, device)
            verdicts = services.sync_items(company, device, read_rows(data.items))
            services.deliver_items(company, verdicts, wait)
        self.say(f"KRA's lists: {known.state}. {known.detail}".rstrip())
        for verdict in verdicts:
            self._tell(verdict)
        refused = [one for one in verdicts if "refused" in (one.verdict, one.state)]
        if refused:
            raise CommandError(
                f"{len(refused)} of {len(verdicts)} rows were refused; the others are stored.\n"
                "Next: correct those rows and run it again; the good ones stay unchanged."
            )

    def _tell(self, verdict: Verdict) -> None:
        self.say(f"{verdict.row:>5} {verdict.sku}: {verdict.verdict} {verdict.state}".rstrip())
        for line in problem_lines(verdict.problems):
            self.say(f"    {line}")


def _wrapped(body: bytes) -> bytes:
    """A bare list of rows is what most catalogues export."""
    return b'{"items":' + body + b"}" if body.lstrip()[:1] == b"[" else body
