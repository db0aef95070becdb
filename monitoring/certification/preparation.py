"""Before the first case: which company and device, on which host, with which state file."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import urllib3
from django.conf import settings
from django.utils import timezone

from companies.models import ApiToken, Branch, Company, Environment
from companies.schemas import BranchCode, Pin
from companies.services import onboard_company, revoke_token
from core.errors import Conflict, Invalid, NotFound, Problem
from devices.models import Call, Device
from devices.schemas import Serial
from kra.times import NAIROBI

from . import state as states
from .context import Buyer, Context
from .state import FolderOfAnother, RunState

SIMULATED_PIN, SIMULATED_NAME, SIMULATED_SERIAL = "A123456789Z", "Baraka Stores", "CERT-0001"
HEAD_OFFICE = {"code": "00", "name": "Head office", "address": "Moi Avenue, Nairobi"}


class NotPrepared(Conflict):
    code = "not_prepared"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; "" leaves the choice to the folder or the database."""

    target: str
    company: str = ""
    branch: str = ""
    serial: str = ""
    buyer: Buyer = Buyer()
    patience: float = 90.0


def prepare(wish: Wish, folder: Path) -> Context:
    """The run of the folder, begun or gone on with. Raises NotPrepared and others."""
    _check(wish)
    known = states.load(folder)
    if known is not None:
        _compare(wish, known)
        company = Company.objects.filter(pin=known.company).first()
        branch = Branch.objects.filter(company=company, code=known.branch).first()
        if company is None or branch is None:
            raise FolderOfAnother(f"{known.company}/{known.branch} is not in this database.")
    else:
        company = _company(wish)
        branch = _branch(company, wish)
        known = _begin(wish, company, branch)
        states.save(folder, known)
    _check_environment(wish, company)
    if wish.target == Environment.SIMULATOR:
        approve(company, branch, known.serial)
    return Context(known, company, branch, wish.buyer, wish.patience)


def _check(wish: Wish) -> None:
    types = [
        ("company", wish.company, Pin),
        ("branch", wish.branch, BranchCode),
        ("serial", wish.serial, Serial),
        ("buyer-pin", wish.buyer.pin, Pin),
    ]
    problems = []
    for name, value, type_ in types:
        try:
            if value:
                msgspec.convert(value, type_)
        except msgspec.ValidationError:
            problems.append(Problem(name, f"{value!r} has not its form.", "Correct it."))
    if problems:
        raise Invalid("The run cannot begin.", problems=problems)


def _compare(wish: Wish, known: RunState) -> None:
    pairs = [
        ("target", wish.target, known.target),
        ("company", wish.company, known.company),
        ("branch", wish.branch, known.branch),
        ("serial", wish.serial, known.serial),
    ]
    problems = [
        Problem(name, f"The folder holds a run of {begun}.", f"Leave it out, or give {begun}.")
        for name, wanted, begun in pairs
        if wanted not in ("", begun)
    ]
    if problems:
        raise FolderOfAnother("The folder belongs to another run.", problems=problems)


def _company(wish: Wish) -> Company:
    companies = Company.objects.filter(environment=wish.target).order_by("pk")
    if wish.company:
        companies = Company.objects.filter(pin=wish.company)
    found = list(companies[:2])
    if len(found) == 1:
        return found[0]
    if not found and wish.target == Environment.SIMULATOR:
        return _simulated_company(wish)
    if found:
        raise NotPrepared("There are several companies.", help="Name one with --company PIN.")
    raise NotPrepared(
        f"There is no company for {wish.target}.",
        help=f"Create it: manage.py onboard --environment {wish.target} --pin … --name …",
    )


def _simulated_company(wish: Wish) -> Company:
    """A taxpayer of the simulator's. Nobody sees its first token, so that is revoked at once."""
    company, _, secret = onboard_company(
        pin=wish.company or SIMULATED_PIN,
        name=SIMULATED_NAME,
        environment=Environment.SIMULATOR.value,
        profile="direct",
        head_office=HEAD_OFFICE | {"code": wish.branch or HEAD_OFFICE["code"]},
    )
    revoke_token(ApiToken.objects.get(hash=ApiToken.hash_of(secret)))
    return company


def _branch(company: Company, wish: Wish) -> Branch:
    branches = Branch.objects.filter(company=company).order_by("code")
    chosen = branches.filter(code=wish.branch) if wish.branch else branches
    found = list(chosen[:2])
    if not wish.branch and len(found) > 1:
        found = [one for one in branches if one.is_head_office]
    if not found:
        raise NotFound(
            f"{company.pin} has no branch {wish.branch!r}.", help="POST /api/branches/ adds it."
        )
    return found[0]


def _begin(wish: Wish, company: Company, branch: Branch) -> RunState:
    last = Call.objects.filter(company=company).order_by("-pk").first()
    now = timezone.now()
    return RunState(
        target=wish.target,
        company=company.pin,
        branch=branch.code,
        serial=wish.serial or _serial(wish, branch),
        stamp=f"{now.astimezone(NAIROBI):%y%m%d%H%M%S}",
        started_at=now,
        first_call=last.pk if last else 0,
    )


def _serial(wish: Wish, branch: Branch) -> str:
    serials = list(Device.objects.filter(branch=branch).values_list("serial", flat=True)[:2])
    if len(serials) == 1:
        return serials[0]
    if not serials and wish.target == Environment.SIMULATOR:
        return SIMULATED_SERIAL
    raise NotPrepared(
        "Which device is to be certified?", help="Name the serial KRA approved: --serial SERIAL."
    )


def _check_environment(wish: Wish, company: Company) -> None:
    if company.environment != wish.target:
        raise NotPrepared(
            f"{company.pin} was onboarded for {company.environment}, not for {wish.target}.",
            help="Certify a company of that environment; production is never certified.",
        )
    base_url, _ = settings.KRA_HOSTS[(company.environment, company.profile)]
    if not base_url.startswith("http"):
        raise NotPrepared(
            f"No KRA address is set for {company.environment}/{company.profile}.",
            help="Set KRA_SIMULATOR_URL or give --start-simulator; see docs/kra.md.",
        )


def approve(company: Company, branch: Branch, serial: str) -> None:
    """What KRA does in its portal: approve the serial for PIN and branch. Repeats are harmless."""
    url = f"{settings.KRA_SIMULATOR_URL}/_simulator/devices"
    body = {"pin": company.pin, "branch": branch.code, "serial": serial, "name": company.name}
    try:
        with urllib3.PoolManager(timeout=5.0, retries=False) as http:
            answer = http.request("POST", url, json=body)
    except urllib3.exceptions.HTTPError as error:
        raise NotPrepared(
            f"No simulator answers at {settings.KRA_SIMULATOR_URL}.",
            help="Start it (python -m simulator), or give --start-simulator.",
        ) from error
    if answer.status >= 400:
        raise NotPrepared(
            f"The simulator does not approve {serial}: {answer.data.decode()[:200]}",
            help="Name the serial it holds for this branch, or another --company.",
        )
