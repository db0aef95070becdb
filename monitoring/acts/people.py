"""Who acts for a company: roles given, changed and taken away."""

import re
from typing import Any

from companies.models import Company, Member, Role
from companies.services import add_member, change_role, remove_member
from core.errors import Invalid, Problem

from .content import Field

ROLES = ", ".join(Role.values)
USERNAME = re.compile(r"[\w.@+-]{1,150}")


def _role(text: str) -> dict[str, Any]:
    role = text.strip().lower()
    if role not in Role.values:
        problem = Problem("role", "There is no such role.", f"Write one of: {ROLES}.")
        raise Invalid("The role is not valid.", problems=[problem])
    return {"role": role}


def _person(text: str) -> dict[str, Any]:
    name, _, role = text.strip().rpartition(" ")
    if not USERNAME.fullmatch(name.strip()):
        problem = Problem("value", "It is no name with a role.", "Write for example: asha manager")
        raise Invalid("The person is not valid.", problems=[problem])
    return {"username": name.strip(), **_role(role)}


ROLE = Field("role", "New role", f"One of: {ROLES}.", _role)
PERSON = Field(
    "value",
    "Name and role",
    f"As in “asha manager”. One of: {ROLES}. A name that is new cannot sign in until the operator "
    "has set a password under Users, and sees the admin only as staff.",
    _person,
)


def add(company: Company, given: Any) -> str:
    member = add_member(company=company, **given.values)
    return f"{member} acts for {company} now."


def change(member: Member, given: Any) -> str:
    return f"{change_role(member, given.values['role'])} from now on."


def remove(member: Member, _: Any) -> str:
    remove_member(member)
    return f"{member} acts for {member.company} no more."
