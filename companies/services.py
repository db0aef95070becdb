"""Onboarding and what a company's owner may change."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotFound, Problem

from .models import (
    COMPANY_SCOPES,
    ApiToken,
    Branch,
    Company,
    Environment,
    Member,
    Profile,
    Role,
    Scope,
)


class CompanyExists(Conflict):
    code = "company_exists"
    help = "GET /api/companies/ shows it; a new token is made with POST /api/tokens/."


class BranchExists(Conflict):
    code = "branch_exists"
    help = "GET /api/branches/ shows the company's branches."


class MemberExists(Conflict):
    code = "member_exists"


@transaction.atomic
def onboard_company(
    *, head_office: dict[str, str], gateway: dict[str, str] | None = None, **fields: Any
) -> tuple[Company, Branch, str]:
    """Create a company, its head office and its first token: all or nothing.

    Returns the token's secret, which cannot be read again. Raises CompanyExists.
    """
    _check_gateway(fields, gateway)
    try:
        with transaction.atomic():
            company = Company.objects.create(**fields, **(gateway or {}))
    except IntegrityError as exc:
        raise CompanyExists(f"A company with the PIN {fields['pin']} exists already.") from exc
    branch = Branch.objects.create(company=company, is_head_office=True, **head_office)
    _, secret = ApiToken.issue(name="first token", scopes=COMPANY_SCOPES, company=company)
    return company, branch, secret


def _check_gateway(fields: dict[str, Any], gateway: dict[str, str] | None) -> None:
    real = fields["environment"] != Environment.SIMULATOR
    if fields["profile"] == Profile.GAVACONNECT and real and not gateway:
        problem = Problem(
            "gateway",
            "The gavaconnect profile needs the keys of your application.",
            "Copy consumer key, consumer secret and app id from KRA's developer portal.",
        )
        raise Invalid("The gateway's credentials are missing.", problems=[problem])


def add_branch(*, company: Company, code: str, name: str, address: str = "") -> Branch:
    try:
        with transaction.atomic():
            return Branch.objects.create(company=company, code=code, name=name, address=address)
    except IntegrityError as exc:
        raise BranchExists(f"Branch {code} exists already.") from exc


def issue_token(
    *,
    company: Company,
    name: str,
    scopes: list[str],
    device: Any = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for a machine of the company. Raises Invalid for a scope it may not hold."""
    unknown = [scope for scope in scopes if scope not in COMPANY_SCOPES]
    if unknown or not scopes:
        raise Invalid(
            "The scopes are not valid.",
            problems=[
                Problem("scopes", f"Not available: {unknown}", f"Choose from {COMPANY_SCOPES}.")
            ],
        )
    if expires_at is not None and not _is_near_future(expires_at):
        raise Invalid(
            "The token cannot expire then.",
            problems=[
                Problem(
                    "expires_at",
                    "It lies in the past, or over a century ahead.",
                    "Give a time within the next years.",
                )
            ],
        )
    return ApiToken.issue(
        name=name, scopes=scopes, company=company, device=device, expires_at=expires_at
    )


def _is_near_future(moment: datetime) -> bool:
    now = timezone.now()
    return now < moment < now + timedelta(days=36_500)


def revoke_token(token: ApiToken) -> None:
    """Stop a token for good; repeats change nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def issue_platform_token(*, name: str) -> str:
    return ApiToken.issue(name=name, scopes=[Scope.PLATFORM.value])[1]


class LastOwner(Conflict):
    code = "last_owner"
    help = "Make somebody else an owner first: POST /api/members/ or PATCH /api/members/{id}/."


@transaction.atomic
def add_member(
    *, company: Company, username: str, role: str, email: str = "", password: str | None = None
) -> Member:
    """Give a person a role. A new person gets the password, or cannot sign in until one is set."""
    users = get_user_model().objects
    user = users.filter(username=username).first()
    if user is None:
        if password is not None:
            _check_password(password)
        user = _new_user(username, email, password)
    try:
        with transaction.atomic():
            return Member.objects.create(company=company, user=user, role=role)
    except IntegrityError as exc:
        raise MemberExists(f"{username} has a role in this company already.") from exc


@transaction.atomic
def change_role(member: Member, role: str) -> Member:
    """Raises LastOwner, NotFound."""
    row = _locked(member)
    if role != Role.OWNER:
        _keep_an_owner(row)
    row.role = role
    row.save(update_fields=["role"])
    return row


@transaction.atomic
def remove_member(member: Member) -> None:
    """The person stays, without a role here. Raises LastOwner, NotFound."""
    row = _locked(member)
    _keep_an_owner(row)
    Member.objects.filter(pk=row.pk).delete()


def _locked(member: Member) -> Member:
    """One at a time per company: two owners who remove each other would leave none."""
    Company.objects.select_for_update(no_key=True).only("pk").get(pk=member.company_id)
    row = Member.objects.select_related("user").filter(pk=member.pk).first()
    if row is None:
        raise NotFound("There is no such member.")
    return row


def _keep_an_owner(leaving: Member) -> None:
    """Somebody who can sign in; if there was none before, nothing is lost."""
    if leaving.role != Role.OWNER:
        return
    owners = Member.objects.filter(company=leaving.company_id, role=Role.OWNER)
    if not owners.filter(user__is_active=True).exclude(pk=leaving.pk).exists():
        raise LastOwner(f"{leaving.user} is the only owner.")


def _new_user(username: str, email: str, password: str | None) -> Any:
    users = get_user_model().objects
    try:
        with transaction.atomic():
            return users.create_user(username=username, email=email, password=password)
    except IntegrityError:
        # Another request made the same person a moment ago.
        return users.get(username=username)


def _check_password(password: str) -> None:
    try:
        validate_password(password)
    except ValidationError as exc:
        problems = [Problem("password", text, "Choose a stronger one.") for text in exc.messages]
        raise Invalid("The password is too weak.", problems=problems) from exc
