"""The pages as a site: every page in the navigation, links and anchors that lead somewhere.

This needs no MkDocs; ./run check docs builds the site itself.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import DomainError
from local import docs, error_page
from local.console import Problem
from local.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ = [ROOT / "README.md", ROOT / "simulator/README.md", *PAGES]
MADE = {"index.md", "changelog.md", "simulator_manual.md"}  # local/docs_hooks.py
LINK = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "mkdocs.yml").read_text()))


def targets(entries: Any) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [target for value in values for target in targets(value)]


def test_every_page_is_in_the_navigation_once(config):
    named = targets(config["nav"])
    coming = {name for name in config["extra"]["coming"] if not (DOCS / name).exists()}
    pages = {str(page.relative_to(DOCS)) for page in PAGES}

    assert len(named) == len(set(named))
    assert pages - set(named) == set(), "add it to nav in mkdocs.yml"
    assert set(named) - pages - MADE - coming == set(), "named in mkdocs.yml and not there"


def slugs(page: Path) -> set[str]:
    """Anchors of headings, as Python-Markdown and GitHub both make them."""
    text = FENCE.sub("", page.read_text())
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
        slug = re.sub(r"[-\s]+", "-", plain)
        found.add(slug if slug not in found else f"{slug}_1")
    return found


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_anchor_is_there(page):
    for path, anchor in LINK.findall(page.read_text()):
        if "://" not in path:
            target = (page.parent / path).resolve() if path else page
            assert anchor in slugs(target), f"{path}#{anchor}"


def test_links_of_decisions_lead_somewhere():
    for page in (DOCS / "adr").glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), (page.name, target)


def test_no_page_loads_anything_from_elsewhere(config):
    assert config["theme"]["font"] is False
    for page in PAGES:
        assert not re.search(
            r"!\[[^]]*\]\(https?:|<(img|script|link)\b[^>]*https?:", page.read_text()
        )
    for image in (DOCS / "images").glob("*.svg"):
        found = set(re.findall(r"https?://[^\"' )]+", image.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, image.name


# --- The page of errors ---


def test_the_page_of_errors_says_what_the_code_says():
    assert error_page.PAGE.read_text() == error_page.page(), "python -m local.error_page --write"


def test_every_error_has_words_in_both_languages():
    words = error_page.known_words()

    assert set(error_page.own_errors()) <= set(words)
    for code, each in words.items():
        assert each.cause.endswith("."), code
        assert each.cause_sw.endswith("."), code
        assert each.fix_sw.endswith("."), code


def test_it_notices_an_error_without_words(monkeypatch):
    class Unheard(DomainError):
        code = "unheard_of"

    Unheard.__module__ = "sales.errors"
    monkeypatch.setattr(error_page, "own_errors", lambda: {"unheard_of": [Unheard]})

    with pytest.raises(SystemExit, match="unheard_of"):
        error_page.page()


# --- The build, when it cannot be made ---


def test_it_says_so_when_the_registry_is_away(monkeypatch, capsys):
    def away():
        raise docs.Offline

    monkeypatch.setattr(docs, "find_mkdocs", away)

    assert docs.main([]) == 0
    assert "SKIPPED" in "".join(capsys.readouterr())


def test_a_failed_installation_is_a_failure(monkeypatch, capsys):
    def install() -> str:
        raise Problem("The hash does not match.")

    monkeypatch.setattr(docs, "find_mkdocs", install)

    assert docs.main([]) == 1
    assert "hash" in "".join(capsys.readouterr())
