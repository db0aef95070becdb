"""Procfile and app.json, as Heroku and its likes read them."""

import json
import re
from typing import Any

import pytest

from local.paths import ROOT


@pytest.fixture(scope="module")
def processes() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    return dict(json.loads((ROOT / "app.json").read_text()))


def test_each_process_is_one_that_the_container_runs(processes):
    text = (ROOT / "deploy/entrypoint.sh").read_text().replace("\\\n", "")
    known = {
        re.sub(r"[\"\s]+|\$@", " ", line).strip() for line in re.findall(r"exec (.+?) ?;;", text)
    }
    plain = {re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", re.sub(r"\s+", " ", line)) for line in known}

    for name, command in processes.items():
        assert re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", command) in plain, name


def test_it_starts_only_processes_that_exist(processes, app):
    assert app["formation"].keys() <= processes.keys()
    assert app["formation"].keys() == processes.keys() - {"release"}
    assert app["formation"]["beat"]["quantity"] == 1
    assert "migrate" in processes["release"]


def test_it_sets_only_settings(app):
    settings = (ROOT / "etims_integration/settings.py").read_text()
    known = set(re.findall(r'env(?:\.\w+)?\(\s*"(\w+)"', settings)) | {"DJANGO_SETTINGS_MODULE"}

    assert app["env"].keys() <= known


def test_what_has_no_default_is_asked_for(app):
    # The add-ons set the two addresses.
    assert {"SECRET_KEY", "ENCRYPTION_KEYS", "ALLOWED_HOSTS", "PUBLIC_URL"} <= app["env"].keys()
    for name in ("ENCRYPTION_KEYS", "ALLOWED_HOSTS", "PUBLIC_URL"):
        assert "value" not in app["env"][name]
    assert app["env"]["SECRET_KEY"]["generator"] == "secret"


def test_the_named_python_is_one_that_is_supported():
    asked = (ROOT / ".python-version").read_text().strip()

    assert f"python:{asked}-slim" in (ROOT / "Dockerfile").read_text()
