import sys
from types import SimpleNamespace

import pytest

from monitoring import telemetry


def test_nothing_is_imported_unasked(monkeypatch):
    for name in ("SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    telemetry.start()

    assert not {"sentry_sdk", "opentelemetry"} & sys.modules.keys()


def test_sentry_gets_no_personal_data(monkeypatch):
    asked: dict[str, object] = {}
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace(init=asked.update))
    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example/1")
    telemetry.start()

    assert asked["send_default_pii"] is asked["include_local_variables"] is False
    assert asked["max_request_body_size"] == "never"


def test_asked_for_but_not_installed_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example/1")

    with pytest.raises(ImportError):
        telemetry.start()
