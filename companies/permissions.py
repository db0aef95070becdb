from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .authentication import token_of
from .models import Scope


class HasScope(BasePermission):
    """A view lists the scope each method needs: `scopes = {"POST": Scope.SALES_WRITE}`.

    A method that is not listed is refused, so a forgotten entry cannot open a door.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return False
        needed: Mapping[str, Scope | tuple[Scope, ...]] = getattr(view, "scopes", {})
        method = "GET" if request.method == "HEAD" else request.method
        allowed = needed.get(method or "")
        if allowed is None:
            return request.method == "OPTIONS" or request.method not in view.allowed_methods
        accepted = (allowed,) if isinstance(allowed, Scope) else allowed
        held = token_of(request).scopes
        if Scope.PLATFORM in held or any(scope in held for scope in accepted):
            return True
        names = " or ".join(scope.value for scope in accepted)
        self.message = f"This token lacks the scope that the request needs: {names}."
        return False
