"""The demo's story: a company, a device, a first signed receipt; and where to look next."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.console import say, step
from local.paths import ROOT, STATE
from local.processes import run_foreground

FACTS_FILE = "demo.json"
COMMAND = "demo_story"


def tell(url: str, simulator_url: str, env: Mapping[str, str]) -> int:
    """Run the story on this terminal; its exit code."""
    if not any(ROOT.glob(f"*/management/commands/{COMMAND}.py")):
        step("there is no story to tell")
        return 0
    argv = [sys.executable, "manage.py", COMMAND]
    code = run_foreground([*argv, "--base-url", url, "--simulator-url", simulator_url], env=env)
    step("the story is told" if code == 0 else "the story broke off")
    return code


def facts(file: Path = STATE / FACTS_FILE) -> dict[str, Any]:
    """What the story left to be known: the token, and anything worth printing."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def addresses(
    url: str, simulator_url: str, password: str, known: Mapping[str, Any]
) -> list[tuple[str, str]]:
    token = known.get("token", "")
    header = f'  (curl -H "Authorization: Token {token}" …)' if token else ""
    rest = [(name.replace("_", " "), str(known[name])) for name in known if name != "token"]
    return [
        ("API docs", f"{url}/api/docs/"),
        ("admin", f"{url}/admin/  (admin / {password})"),
        ("dashboard", f"{url}/api/dashboard/{header}"),
        ("simulator", f"{simulator_url}/"),
        *rest,
    ]


def print_addresses(url: str, simulator_url: str, env: Mapping[str, str]) -> None:
    say()
    for name, text in addresses(url, simulator_url, env["ADMIN_PASSWORD"], facts()):
        say(f"  {name:12} {text}")
    say()
