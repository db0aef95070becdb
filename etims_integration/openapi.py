"""What the OpenAPI document says beyond the single views: groups, scopes, and real answers.

`openapi_answers.json` holds what the demo answered once, shortened, with made-up secrets;
`openapi_requests.json` bodies for doors whose views show none. A test holds each of them to the
schema it stands beside.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from drf_spectacular.openapi import AutoSchema

from companies.models import Scope

FOLDER = Path(__file__).parent
JSON = "application/json"

# Each group with its first path segments; `/receipt` and the like lie below other nouns.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Company": (
        "Companies, branches, people and tokens.",
        ("company", "companies", "branches", "tokens", "members"),
    ),
    "Devices": ("Devices that KRA approved, and their keys.", ("device", "devices")),
    "Items": (
        "The catalogue, KRA's lists and tax rates.",
        ("item", "items", "codes", "classifications", "tax-rates", "notices"),
    ),
    "Stock": ("Levels and movements, here and at KRA.", ("stock",)),
    "Sales": ("Sales and credit notes on their way to KRA.", ("sales", "credit-notes", "invoices")),
    "Receipts": ("What the buyer is handed, and how it looks.", ()),
    "Reports": ("X, Z, items, VAT and payment methods.", ("reports",)),
    "Purchases": ("What suppliers and customs say came in.", ("purchases", "imports")),
    "Registers": (
        "Customers, users and insurers of a branch.",
        ("customers", "branch-users", "insurances"),
    ),
    "Reconciliation": ("Whether our books match KRA's.", ("reconciliations",)),
    "Webhooks": ("How a point of sale is told.", ("webhooks", "events")),
    "Monitoring": (
        "Health, calls to KRA, alerts, and evidence.",
        ("health", "logs", "journal", "alerts", "dashboard", "holds"),
    ),
}
RECEIPTS = ("receipt", "prints", "email", "proforma", "branding")


class Operation(AutoSchema):
    def get_tags(self) -> list[str]:
        return [group_of(self.path)]

    def get_description(self) -> str:  # type: ignore[override]  # the library's own form
        """Docstrings are for us; whoever calls wants to know which token opens the door."""
        needed = getattr(self.view, "scopes", {}).get(self.method)
        if needed is None:
            return "No token is needed."
        scopes = (needed,) if isinstance(needed, Scope) else needed
        named = " or ".join(f"`{scope.value}`" for scope in scopes)
        more = "" if Scope.PLATFORM in scopes else f", or the operator's `{Scope.PLATFORM.value}`"
        return f"Scope: {named}{more}."

    def get_operation_id(self) -> str:
        # A dot is no part of a name in most languages.
        return str(super().get_operation_id()).replace("._", "_file_")


def group_of(path: str) -> str:
    parts = [part.partition(".")[0] for part in path.strip("/").split("/")]
    nouns = parts[1:] if parts[0] == "api" else parts
    if any(noun in RECEIPTS for noun in nouns):
        return "Receipts"
    found = (name for name, (_, firsts) in GROUPS.items() if nouns[0] in firsts)
    return next(found, "Other")


@cache
def kept(name: str) -> dict[str, Any]:
    text = (FOLDER / f"openapi_{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put each example where the document speaks of that body, and say what the groups are."""
    result["tags"] = [{"name": name, "description": words} for name, (words, _) in GROUPS.items()]
    for name, operation in operations(result):
        body = operation.get("requestBody", {}).get("content", {})
        _show(body, "Example", kept("requests").get(name))
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            if status >= "400" and JSON in content:
                # Errors are JSON whatever the door otherwise speaks.
                content = response["content"] = {JSON: content[JSON]}
            _show(content, "Answer", kept("answers").get(name, {}).get(status))
    return result


def _show(content: dict[str, Any], title: str, value: Any) -> None:
    if value is not None and JSON in content:
        content[JSON].setdefault("examples", {title: {"value": value}})
