"""Whose figures a report shows, and of which days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from companies.models import ApiToken, Branch, Company
from core.errors import Invalid, NotFound, Problem
from devices.models import Device
from devices.views import visible_device
from kra.times import NAIROBI

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Subject:
    """A company, one branch of it, or one device."""

    company: Company
    branch: Branch | None
    devices: list[Device]
    # False: all that the company sold is meant, and no list of devices narrows it down.
    is_part: bool

    @property
    def branch_ids(self) -> list[int]:
        """Where the goods of this report lie."""
        if self.branch is not None:
            return [self.branch.pk]
        if self.is_part:
            return sorted({device.branch_id for device in self.devices})
        return list(self.company.branches.values_list("pk", flat=True))

    @property
    def device(self) -> Device | None:
        return self.devices[0] if self.is_part and len(self.devices) == 1 else None


@dataclass(frozen=True, slots=True)
class Period:
    """Days in Nairobi, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        return midnight(self.last + timedelta(days=1))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=NAIROBI)


def day_of(moment: datetime) -> date:
    return moment.astimezone(NAIROBI).date()


def find_subject(token: ApiToken, named: Mapping[str, str]) -> Subject:
    """What `company`, `branch` and `device` name, as far as the token sees it. Raises NotFound,
    Invalid.
    """
    serial, code = named.get("device", ""), named.get("branch", "")
    if serial:
        device = visible_device(token, serial)
        if code and device.branch.code != code:
            raise NotFound(f"Branch {code!r} has no device {serial!r}.")
        return of_device(device)
    company = _company(token, named.get("company", ""))
    branch = _branch(token, company, code) if code else None
    known: Any = Device.objects.visible_to(token).filter(company=company)
    if branch is not None:
        known = known.filter(branch=branch)
    devices = list(known.select_related("company", "branch").order_by("branch__code", "serial"))
    is_part = branch is not None or token.device_id is not None
    return Subject(company, branch, devices, is_part)


def of_device(device: Device) -> Subject:
    return Subject(device.company, device.branch, [device], is_part=True)


def _company(token: ApiToken, pin: str) -> Company:
    companies: Any = Company.objects.visible_to(token)
    found = list((companies.filter(pin=pin) if pin else companies)[:2])
    if not found:
        raise NotFound(f"There is no company {pin!r}.")
    if len(found) > 1:
        problem = Problem("company", "The token sees several.", "Name a PIN, or a device.")
        raise Invalid("Which company?", problems=[problem])
    company: Company = found[0]
    return company


def _branch(token: ApiToken, company: Company, code: str) -> Branch:
    branches: Any = Branch.objects.visible_to(token).filter(company=company, code=code)
    if token.device_id is not None:
        branches = branches.filter(devices=token.device_id)
    branch: Branch | None = branches.first()
    if branch is None:
        raise NotFound(f"There is no branch {code!r}.")
    return branch


def read_period(named: Mapping[str, str], *, today: date) -> Period:
    """`from` and `to`; without them today. Raises Invalid with every problem."""
    problems: list[Problem] = []
    first = _day(named, "from", problems)
    last = _day(named, "to", problems)
    if problems:
        raise Invalid("Which days?", problems=problems)
    last = last or max(today, first or today)
    first = first or last
    if last < first:
        problems.append(Problem("from", "It lies after `to`.", "Swap the two days."))
        problems.append(Problem("to", "It lies before `from`.", "Swap the two days."))
    elif last - first >= LONGEST:
        step = "Ask for at most 366 days; year by year is usual."
        problems.append(Problem("from", "The period is longer than a year.", step))
        problems.append(Problem("to", "The period is longer than a year.", step))
    if problems:
        raise Invalid("Which days?", problems=problems)
    return Period(first, last)


def _day(named: Mapping[str, str], name: str, problems: list[Problem]) -> date | None:
    text = named.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != 10 or not 2000 <= day.year <= 2999:
        problems.append(Problem(name, f"{text[:20]!r} is no day.", "Write it like 2026-11-22."))
        return None
    return day
