"""docs/kra.md: every rule of KRA's is there with how sure it is, and every switch is tried."""

import re

import pytest

from local.paths import ROOT

PAGE = (ROOT / "docs/kra.md").read_text()
RULES = {"T": 8, "A": 5, "N": 7, "C": 7, "I": 5, "D": 4, "S": 5, "P": 2, "R": 5, "L": 3}
ROW = re.compile(r"^\| ([A-Z][0-9]|–) \| (.+) \| (.+) \| (.+) \| (.+) \|$", re.M)
SETTINGS = (ROOT / "etims_integration/settings.py").read_text()
PYTHON = [path for path in ROOT.rglob("test_*.py") if not set(path.parts) & {"build", ".venv"}]


def rows():
    part = PAGE[PAGE.index("## Rules") : PAGE.index("## What ")]
    return ROW.findall(part)


def test_every_rule_is_there_and_none_is_made_up():
    wanted = {f"{letter}{place}" for letter, most in RULES.items() for place in range(1, most + 1)}

    assert {rule for rule, *_ in rows()} - {"–"} == wanted


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1][:30]}")
def test_each_says_where_it_is_from_how_sure_it_is_and_what_changes_it(row):
    _, _, source, sure, changed_by = row

    assert re.match(r"[SGDA](\W|$)", source), source
    assert sure.strip()
    for name in re.findall(r"`([a-z/_]+\.(?:py|json))`", changed_by):
        assert name == "manage.py" or (ROOT / name).is_file(), name


def named_settings():
    return sorted(set(re.findall(r"`([A-Z_]{5,})`", "".join(row[4] for row in rows()))))


@pytest.mark.parametrize("name", named_settings())
def test_every_switch_exists_and_is_tried(name):
    # KRA_TAX_CONVENTION_… of each host ends in one setting.
    inside = {"KRA_TAX_CONVENTION_DIRECT": "direct", "KRA_TAX_CONVENTION_GATEWAY": "gavaconnect"}
    used = f'{{"{inside[name]}": ' if name in inside else f"settings.{name} = "

    assert f'"{name}"' in SETTINGS
    texts = (path.read_text() for path in PYTHON)
    assert any(used in text for text in texts), used
