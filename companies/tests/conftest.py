"""Two companies and clients that speak for them."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from companies.authentication import TokenAuthentication
from companies.models import COMPANY_SCOPES, ApiToken, Branch, Company, Scope


@pytest.fixture(autouse=True)
def fresh_caches():
    """What a process remembers must not outlive a test's database."""
    TokenAuthentication.cache.clear()


@pytest.fixture
def open_company(db) -> Callable[..., Company]:
    def build(pin: str, **fields: Any) -> Company:
        facts = {"name": f"Shop {pin}", "environment": "simulator", "profile": "direct"}
        company = Company.objects.create(pin=pin, **(facts | fields))
        Branch.objects.create(company=company, code="00", name="Head office", is_head_office=True)
        return company

    return build


@pytest.fixture
def alpha(open_company):
    return open_company("A000000001A")


@pytest.fixture
def beta(open_company):
    return open_company("B000000002B")


@pytest.fixture
def issue(db) -> Callable[..., tuple[ApiToken, str]]:
    """A token and its secret; without a company it is the operator's."""

    def build(company: Company | None = None, **fields: Any) -> tuple[ApiToken, str]:
        scopes = list(COMPANY_SCOPES) if company else [Scope.PLATFORM.value]
        return ApiToken.issue(name="test", company=company, **({"scopes": scopes} | fields))

    return build


@pytest.fixture
def client_of() -> Callable[[str], APIClient]:
    def build(secret: str) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
        return client

    return build


@pytest.fixture
def api(issue, client_of) -> Callable[..., APIClient]:
    """A client with a new token."""
    return lambda company=None, **fields: client_of(issue(company, **fields)[1])
