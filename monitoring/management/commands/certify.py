from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitoring.certification import documents, own_simulator, run
from monitoring.certification.context import Buyer
from monitoring.certification.preparation import Wish, prepare
from monitoring.certification.state import locked
from monitoring.console import ServiceCommand, company_named, seconds


class Command(ServiceCommand):
    help = (
        "Take KRA's automated test: 23 cases in KRA's order within its hour, through this "
        "service. The folder gets every request and answer (keys masked), the papers to upload "
        "and a one-page verdict. A second start with the same folder goes on at the first case "
        "that has not passed. The device is initialised once and never again. With --documents "
        "it writes the KYC and architecture documents instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", required=True, metavar="DIR", help="made when missing")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--target",
            choices=["simulator", "sandbox"],
            help="whom to send to; the company must have been onboarded for it",
        )
        what.add_argument(
            "--documents", action="store_true", help="fill the document templates from the facts"
        )
        parser.add_argument("--company", default="", metavar="PIN", help="default: the only one")
        parser.add_argument("--branch", default="", metavar="CODE", help="default: head office")
        parser.add_argument("--serial", default="", help="default: the branch's only device")
        parser.add_argument("--buyer-pin", default="", metavar="PIN", help="on the invoice")
        parser.add_argument("--buyer-name", default="", metavar="NAME", help="on the invoice")
        parser.add_argument(
            "--wait",
            type=float,
            default=90.0,
            metavar="SECONDS",
            help="the most a case waits for KRA (default 90)",
        )
        parser.add_argument(
            "--start-simulator",
            action="store_true",
            help="start a simulator on a free port, with its books in the folder; only for "
            "--target simulator, and not beside running workers: those know another address",
        )

    def act(self, options: dict[str, Any]) -> None:
        if options["documents"]:
            for path in documents.lay_out(
                company_named(options["company"]), Path(options["folder"])
            ):
                self.say(str(path))
            self.say("Next: search them for 'to be filled in'.")
            return
        self._certify(options)

    def _certify(self, options: dict[str, Any]) -> None:
        if options["start_simulator"] and options["target"] != "simulator":
            raise CommandError("--start-simulator goes with --target simulator only.")
        folder = Path(options["folder"])
        wish = Wish(
            target=options["target"],
            company=options["company"],
            branch=options["branch"],
            serial=options["serial"],
            buyer=Buyer(options["buyer_pin"], options["buyer_name"]),
            patience=max(1.0, seconds(options)),
        )
        own = own_simulator.started(folder) if options["start_simulator"] else nullcontext("")
        with locked(folder), own:
            ctx = prepare(wish, folder)
            self.say(f"{ctx.company}, branch {ctx.branch.code}, device {ctx.state.serial}")
            is_passed = run.run(ctx, folder, self.say)
        self.say(f"Verdict: {folder / 'verdict.md'}")
        if not is_passed:
            raise CommandError(
                "Not all cases have passed.\nNext: do what the verdict says, then start again with "
                "the same --folder."
            )
