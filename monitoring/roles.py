"""Who sees and does what in the admin: one table.

A superuser is the operator of the installation and sees all companies. Anybody else sees what the
role in each of his companies lets him see, and nothing of any other company. Django's own model
permissions open nothing here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest

from companies.models import Member, Role

Roles = frozenset[str]

OWNER: Roles = frozenset({Role.OWNER.value})
LEADERS: Roles = OWNER | {Role.MANAGER.value}
READERS: Roles = LEADERS | {Role.AUDITOR.value}
EVERYBODY: Roles = READERS | {Role.CASHIER.value}
NOBODY: Roles = frozenset()

# What is not listed is for READERS when it belongs to a company or is shared by all, and for the
# operator otherwise.
SEES: dict[str, Roles] = {
    "companies.Company": EVERYBODY,
    "companies.Branch": EVERYBODY,
    "sales.Invoice": EVERYBODY,
    "sales.Receipt": EVERYBODY,
    "sales.Customer": EVERYBODY,
    "items.Item": EVERYBODY,
    "items.StockLevel": EVERYBODY,
    "items.TaxRate": EVERYBODY,
    "items.Notice": EVERYBODY,
}

# An auditor does nothing, and a cashier works at the till.
DOES: dict[str, Roles] = {
    "retry": LEADERS,
    "correct": LEADERS,
    "void": LEADERS,
    "look_again": LEADERS,
    "explain": LEADERS,
    "adopt": LEADERS,
    "resync": OWNER,
    "suspend": LEADERS,
    "resume": LEADERS,
    "rotate_keys": OWNER,
    "revoke": OWNER,
    "add_member": OWNER,
    "change_role": OWNER,
    "remove_member": OWNER,
    "approve_rate": NOBODY,
    # The second person of a request: whoever may ask for it may also be asked.
    "decide": LEADERS,
}


@dataclass(frozen=True)
class Access:
    """What one person may reach: everything, or the companies in which he has a role."""

    is_platform: bool
    roles: dict[int, str]

    def companies(self, allowed: Collection[str]) -> set[int]:
        """The ids of the companies in which the person has one of these roles."""
        return {company for company, role in self.roles.items() if role in allowed}

    def may(self, allowed: Collection[str], company_id: int | None) -> bool:
        if self.is_platform:
            return True
        return company_id is not None and self.roles.get(company_id) in allowed

    def may_anywhere(self, allowed: Collection[str]) -> bool:
        return self.is_platform or bool(self.companies(allowed))


def access_of(request: HttpRequest) -> Access:
    """Read once per request."""
    known = getattr(request, "_etims_access", None)
    if known is None:
        known = access_of_user(request.user)
        request._etims_access = known  # type: ignore[attr-defined]
    return cast(Access, known)


def access_of_user(user: Any) -> Access:
    if not user.is_active or not user.is_authenticated:
        return Access(is_platform=False, roles={})
    if user.is_superuser:
        return Access(is_platform=True, roles={})
    mine = Member.objects.filter(user=user)
    return Access(is_platform=False, roles=dict(mine.values_list("company_id", "role")))


def sees(label: str) -> Roles:
    return SEES.get(label, READERS)
