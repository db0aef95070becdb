"""What the commands of manage.py share: finding things by name, reading files, refusing well."""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from companies.models import Branch, Company
from core.errors import DomainError, Problem
from devices.models import Device
from kra.codes import explain
from kra.errors import KRAError
from sales.models import Invoice

T = TypeVar("T")
STDIN = "-"
LARGEST_FILE = 4 * 1_048_576
# Exit codes beyond 1, "refused": done and accepted here, but KRA has not answered yet.
STILL_WAITING = 3

# The services speak to callers of the API; here the way on is another command.
NEXT_STEPS = {
    "company_exists": "It can be used as it is; POST /api/tokens/ makes another token.",
    "device_already_installed": (
        "If you hold the key of the earlier installation, run manage.py import_device_key. If it "
        "is lost, ask KRA's eTIMS support to reset the device. Do not initialise again."
    ),
    "not_ready": "Run manage.py init_device, or resume the device; items come by sync_items.",
    "no_active_device": "Run manage.py init_device for a device of the head office first.",
    "not_voidable": "KRA has it or may have it. Once it is signed, credit it.",
    "not_cancellable": "It may have reached KRA. Wait until it is signed, then credit it.",
    "lane_busy": "Wait a minute and try again; manage.py lane shows who holds it.",
}


class ServiceCommand(BaseCommand):
    """A thin command over services: what they refuse becomes a sentence and the next step."""

    def handle(self, *args: Any, **options: Any) -> None:
        _log_to_stderr()
        try:
            self.act(options)
        except DomainError as error:
            raise CommandError(told(error)) from error
        except KRAError as error:
            raise CommandError(told_by_kra(error)) from error

    def act(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def say(self, text: str = "") -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _log_to_stderr() -> None:
    """Standard output is for what was asked for, so that it can be piped on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)


def told(error: DomainError) -> str:
    next_step = NEXT_STEPS.get(error.code, error.help)
    return "\n".join([error.message, *problem_lines(error.problems), f"Next: {next_step}"])


def told_by_kra(error: KRAError) -> str:
    meaning = explain(error.code, error.message)
    return f"KRA: {error}\n{meaning.cause}\nNext: {meaning.next_step}"


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    return [
        f"  {problem.field or 'request'}: {problem.reason} {problem.next_step}".rstrip()
        for problem in problems
    ]


def add_company(parser: CommandParser) -> None:
    parser.add_argument(
        "--company", default="", metavar="PIN", help="only needed when there are several companies"
    )


def company_named(pin: str) -> Company:
    """The company of that PIN; the only one when none is named."""
    companies = Company.objects.order_by("pk")
    found = list((companies.filter(pin=pin) if pin else companies)[:2])
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError("There are several companies.\nNext: name one with --company PIN.")
    who = f"There is no company with the PIN {pin}." if pin else "There is no company yet."
    raise CommandError(f"{who}\nNext: create it with manage.py onboard.")


def branch_of(company: Company, code: str) -> Branch:
    branch = Branch.objects.filter(company=company, code=code).first()
    if branch is None:
        known = ", ".join(company.branches.order_by("code").values_list("code", flat=True))
        raise CommandError(
            f"{company.pin} has no branch {code!r}; it has {known}.\n"
            "Next: name one of them, or add the branch with POST /api/branches/."
        )
    return branch


def device_named(serial: str, pin: str) -> Device:
    """The device of that serial, of the company if one is named."""
    devices = Device.objects.select_related("company", "branch").filter(serial=serial)
    found = list((devices.filter(company__pin=pin) if pin else devices).order_by("pk")[:2])
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"Several companies have a device {serial!r}.\nNext: name one with --company PIN."
        )
    raise CommandError(
        f"There is no device {serial!r}.\nNext: compare it with GET /api/devices/ or the admin; "
        "a new one is registered with manage.py init_device."
    )


def selling_device(serial: str, company: Company) -> Device:
    """The named device; else the company's only one that was ever initialised."""
    if serial:
        return device_named(serial, company.pin)
    devices = Device.objects.select_related("company", "branch").filter(company=company)
    found = list(devices.exclude(key="").order_by("pk")[:2])
    if len(found) == 1:
        return found[0]
    what = "several devices" if found else "no initialised device"
    step = "name one with --device SERIAL" if found else "run manage.py init_device"
    raise CommandError(f"{company.pin} has {what}.\nNext: {step}.")


def invoice_named(name: str, pin: str) -> Invoice:
    """The current sale or credit note of that reference, else the one of that id."""
    invoices = Invoice.objects.whole()
    if pin:
        invoices = invoices.filter(company__pin=pin)
    found = list(invoices.filter(reference=name, is_current=True).order_by("pk")[:2])
    if not found and name.isascii() and name.isdigit() and len(name) <= 18:
        found = list(invoices.filter(pk=int(name)))
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"Several branches have a sale {name!r}.\n"
            "Next: name the --company, or use the id that GET /api/invoices/ shows."
        )
    raise CommandError(
        f"There is no sale or credit note {name!r}.\n"
        "Next: check the spelling; the reference is the till's own, the id is ours."
    )


def read_input(path: str) -> bytes:
    """A file's bytes, or standard input's for "-"."""
    try:
        if path == STDIN:
            body = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with Path(path).open("rb") as file:
                body = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read: {error.strerror}.\nNext: name a file that exists, or - for "
            "standard input."
        ) from error
    if len(body) > LARGEST_FILE:
        raise CommandError(f"{path} is larger than 4 MB.\nNext: split it.")
    return body


def seconds(options: dict[str, Any], name: str = "wait") -> float:
    return max(0.0, float(options[name]))
