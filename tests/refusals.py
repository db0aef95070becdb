"""What every refusal must look like, and the proof that it changed nothing."""

from typing import Any

from django.apps import apps

OURS = ("companies", "devices", "outbox", "items", "sales", "purchases")
# Written by every request that brings a token.
NOTES = {"last_used_at"}


def rows_of(model: Any) -> list[dict[str, Any]]:
    names = [f.attname for f in model._meta.concrete_fields if f.name not in NOTES]
    return [
        {name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()}
        for row in model.objects.order_by("pk").values(*names)
    ]


def snapshot() -> dict[str, list[dict[str, Any]]]:
    """Every row of ours, column by column."""
    models = [model for model in apps.get_models() if model._meta.app_label in OURS]
    return {model._meta.label: rows_of(model) for model in models}


def error_of(response: Any) -> dict[str, Any]:
    """The error, if the answer has the one shape that all refusals have."""
    assert 400 <= response.status_code < 500, (response.status_code, response.content[:400])
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert list(error) == ["code", "message", "detail", "help"]
    assert all(error[name] and isinstance(error[name], str) for name in ("code", "message", "help"))
    for problem in error["detail"]:
        assert list(problem) == ["field", "reason", "next_step"]
        assert problem["reason"]
        assert problem["next_step"]
    return error


def fields_of(response: Any, status: int = 400) -> list[str]:
    """The fields that a refusal names."""
    error = error_of(response)
    assert response.status_code == status, response.content
    return [problem["field"] for problem in error["detail"]]
