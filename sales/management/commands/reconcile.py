import time
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import Invalid
from devices.models import Device
from sales.models import Difference, ReconciledDay, Reconciliation, Verdict
from sales.reconciliation import runs
from sales.reconciliation.outputs import RunInput
from sales.reconciliation.report import Side, sums_of
from sales.reconciliation.views import check_period

SHOWN = 50
LONGEST_S = 3600


class Command(BaseCommand):
    help = (
        "Compare our signed sales and credit notes of one device with KRA's books, by number, "
        "count, total and VAT. It only asks KRA; it never sends a sale. An unfinished comparison "
        "of the same days goes on where it stopped. Exit code: 0 matches, 1 differs, 2 incomplete."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", required=True, metavar="PIN", help="such as A123456789Z")
        parser.add_argument("--device", required=True, metavar="SERIAL", help="see /api/devices/")
        parser.add_argument(
            "--from", required=True, type=date.fromisoformat, dest="first", metavar="DAY",
            help="first day of sale in Nairobi, such as 2026-11-01",
        )  # fmt: skip
        parser.add_argument(
            "--to", type=date.fromisoformat, dest="last", metavar="DAY",
            help="last day, at most 31 days; default: the first",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        device = _device(options["company"], options["device"])
        try:
            first, last = check_period(RunInput(options["first"], options["last"]))
        except Invalid as error:
            problem = error.problems[0]
            text = f"--{problem.field}: {problem.reason} {problem.next_step}"
            raise CommandError(text, returncode=2) from error
        run = runs.start(device, first, last, by="manage.py reconcile")
        runs.advance(run.pk, until=time.monotonic() + LONGEST_S)
        run.refresh_from_db()
        self._report(run)
        if run.verdict == Verdict.INCOMPLETE:
            raise CommandError(f"Incomplete: {run.reason}", returncode=2)
        if run.verdict == Verdict.DIFFERS:
            raise CommandError("Our books and KRA's differ.", returncode=1)
        self.stdout.write("Our books match KRA's.")

    def _report(self, run: Reconciliation) -> None:
        period = f"{run.first_day} to {run.last_day}"
        self.stdout.write(f"Reconciliation {run.pk}: device {run.device.serial}, {period}")
        days = list(ReconciledDay.objects.filter(run=run))
        self.stdout.write(_line("ours", sums_of(days, "our")))
        self.stdout.write(_line("KRA's", sums_of(days, "kra")))
        cases = Difference.objects.filter(run=run).shown().order_by("number")
        for case in cases[:SHOWN]:
            settled = f" ({case.how}: {case.reason})" if case.how else ""
            self.stdout.write(f"  {case.number}  {case.kind}  {case.detail}{settled}")
        if (more := cases.count() - SHOWN) > 0:
            self.stdout.write(f"  and {more} more: GET /api/reconciliations/{run.pk}/")


def _device(pin: str, serial: str) -> Device:
    devices = Device.objects.select_related("company", "branch")
    device = devices.filter(company__pin=pin, serial=serial).first()
    if device is None:
        raise CommandError(f"Company {pin} has no device {serial!r}.", returncode=2)
    if not device.key:
        raise CommandError(f"Device {serial!r} was never initialised.", returncode=2)
    return device


def _line(whose: str, side: Side) -> str:
    counts = f"{side.sales} sales, {side.credit_notes} credit notes"
    return f"  {whose:5}  {counts}, total {side.total}, VAT {side.vat}"
