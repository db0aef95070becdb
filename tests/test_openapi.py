"""The OpenAPI document: whole, and true. Its examples are held to the schemas beside them."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from etims_integration.openapi import GROUPS, JSON, kept, operations
from sales.receipts.formats import MEDIA_TYPES
from sales.reports.formats import FORMATS

pytestmark = pytest.mark.django_db

# Doors that the demo's story and Postman's do not come through with success.
WITHOUT = {
    "POST /api/stock/transfers/",
    "POST /api/device/{serial}/import-key/",
    "POST /api/device/{serial}/resync-counter/",
    "POST /api/items/{sku}/retry/",
    "POST /api/stock/movements/{id}/retry/",
    "POST /api/invoices/{id}/email/",
    "POST /api/reconciliations/{id}/differences/{number}/adopt/",
    "POST /api/reconciliations/{id}/differences/{number}/explain/",
    "POST /api/reconciliations/{id}/differences/{number}/look-again/",
    *("GET /api/holds/", "POST /api/holds/", "POST /api/holds/{id}/release/"),
    "PATCH /api/members/{id}/",
}


@pytest.fixture(scope="module")
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def bodies(operation: dict[str, Any]) -> Any:
    """(what it is, its media object) of the request and of each answer in JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        yield "request", content[JSON]
    for status, response in operation["responses"].items():
        if JSON in response.get("content", {}):
            yield status, response["content"][JSON]


def test_each_operation_says_what_it_does_and_who_may(schema):
    for name, operation in operations(schema):
        assert operation["summary"], name
        assert operation["description"].startswith(("Scope: `", "No token")), name
        assert operation["tags"][0] in GROUPS, name


def test_the_groups_are_explained_and_none_is_empty(schema):
    used = {operation["tags"][0] for _, operation in operations(schema)}

    assert {tag["name"] for tag in schema["tags"] if tag["description"]} == used == set(GROUPS)


def test_each_request_has_an_example(schema):
    for name, operation in operations(schema):
        for what, media in bodies(operation):
            assert what != "request" or media.get("examples"), name


def test_each_door_shows_an_answer(schema):
    """One success is enough: 200 and 202 of one door look alike."""
    lacking = set()
    for name, operation in operations(schema):
        successes = [media for what, media in bodies(operation) if what.startswith("2")]
        if successes and not any(media.get("examples") for media in successes):
            lacking.add(name)

    assert lacking == WITHOUT


def test_each_example_is_what_its_schema_says(schema):
    wrong = [
        f"{what} of {name}: {error.json_path} {error.message[:200]}"
        for name, operation in operations(schema)
        for what, media in bodies(operation)
        for example in media.get("examples", {}).values()
        for error in Draft202012Validator(resolved(media["schema"], schema)).iter_errors(
            example["value"]
        )
    ]

    assert wrong == []


def resolved(node: Any, schema: dict[str, Any]) -> dict[str, Any]:
    return {**node, "components": schema["components"]}


def test_no_example_is_of_a_door_that_is_gone(schema):
    doors = dict(operations(schema))

    assert set(kept("requests")) | set(kept("answers")) <= set(doors)
    for name, answers in kept("answers").items():
        assert set(answers) <= set(doors[name]["responses"]), name


def test_refusals_are_documented_as_json_alone(schema):
    for name, operation in operations(schema):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == [JSON], (name, status)


def test_files_are_documented_by_their_media_types(schema):
    binary = {"type": "string", "format": "binary"}
    for name, operation in operations(schema):
        content = operation["responses"].get("200", {}).get("content", {})
        if "/receipt/" in name and name.startswith("GET") or "proforma" in name or ".{" in name:
            assert set(content) == set(MEDIA_TYPES), name
        if name.startswith("GET /api/reports/") and name != "GET /api/reports/z/":
            assert set(content) == set(FORMATS.values()), name
        for media_type in ("application/pdf", "image/png", "application/vnd.escpos"):
            assert content.get(media_type, {}).get("schema", binary) == binary, name
