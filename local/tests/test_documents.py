"""What people read and click: links lead somewhere, settings and endpoints are explained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from local.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
SETTING = re.compile(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"')
COLLECTION = ROOT / "postman/etims.postman_collection.json"
SECRET = re.compile(r"etims_[\w-]{20,}|cmcKey\W+[0-9A-F]{20,}")


def text_of(*names: str) -> str:
    return "".join((ROOT / "docs" / name).read_text() for name in names)


# --- Pages ---


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    targets = LINK.findall(page.read_text())

    lost = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert lost == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_setting_is_explained():
    files = (ROOT / "etims_integration").glob("settings*.py")
    known = SETTING.findall("".join(file.read_text() for file in files))
    explained = text_of("operations.md", "kra.md")

    assert [name for name in known if f"`{name}`" not in explained] == []


def endpoints(patterns: list[Any], prefix: str = "/") -> Iterator[str]:
    for one in patterns:
        path = f"{prefix}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from endpoints(one.url_patterns, path)
        elif isinstance(one, URLPattern):
            yield path


def test_every_endpoint_is_explained():
    explained = text_of("api.md")
    paths = [p for p in endpoints(get_resolver().url_patterns) if not p.startswith("/admin/")]

    assert len(paths) > 30
    # The last fixed word is enough: the table shortens the way there.
    words = {path: [w for w in path.split("/") if w and "<" not in w][-1] for path in paths}
    # A file's name ends the address.
    named = {path: f"/{word}" if "." in word else f"/{word}/" for path, word in words.items()}
    assert [path for path, word in named.items() if word not in explained] == []


# --- Postman ---


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    return dict(json.loads(COLLECTION.read_text()))


def test_the_collection_has_its_folders_in_order(collection):
    names = [folder["name"] for folder in collection["item"]]

    assert [int(name.split()[0]) for name in names] == list(range(1, 11))


def test_every_request_is_described_and_tested(collection):
    for item in requests(collection["item"]):
        assert len(item["request"]["description"]) > 20, item["name"]
        assert any(event["listen"] == "test" for event in item["event"]), item["name"]


def test_it_names_no_host_of_its_own(collection):
    hosts = {item["request"]["url"]["host"][0] for item in requests(collection["item"])}

    assert hosts == {"{{base_url}}", "{{simulator_url}}"}


@pytest.mark.parametrize("file", sorted((ROOT / "postman").glob("*.json")), ids=lambda f: f.name)
def test_it_holds_no_secret(file: Path):
    text = file.read_text()

    assert not SECRET.search(text)
    for value in json.loads(text).get("values", []):
        assert value["type"] != "secret" or value["value"] == ""
