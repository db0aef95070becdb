"""Whether the pinned requirement files still say what pyproject.toml asks for. Upgrades nothing.

Usage: python -m local.pins
"""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local.console import Problem, report, say
from local.paths import ROOT

SOURCES = {
    "requirements.txt": ("pyproject.toml",),
    "requirements-dev.txt": ("pyproject.toml", "--group", "dev"),
    "requirements-simulator.txt": ("--group", "simulator"),
}
OPTIONS = ("--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate")
# What uv says when the registry could not be asked, as opposed to having answered no.
OFFLINE = ("error sending request", "failed to fetch", "dns error", "network connectivity")
SHOWN_LINES = 20


class Offline(Exception):
    """The registry did not answer."""


def find_uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def compile_to(output: Path, source: Sequence[str], uv: str) -> None:
    """Resolve again. uv keeps the versions it finds in the output file while they fit."""
    argv = [uv, "pip", "compile", *source, *OPTIONS, "-o", str(output)]
    env = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    argv += ["--python", sys.executable]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if any(words in done.stderr.lower() for words in OFFLINE):
        raise Offline
    raise Problem(f"uv could not resolve pyproject.toml:\n{done.stderr.strip()}")


def drift(name: str, uv: str) -> list[str]:
    """The lines in which a pinned file differs from a fresh resolution."""
    pinned = (ROOT / name).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, name)
        again.write_text(pinned, encoding="utf-8")
        compile_to(again, SOURCES[name], uv)
        fresh = again.read_text(encoding="utf-8")
    compared = difflib.unified_diff(pinned.splitlines(), fresh.splitlines(), name, "fresh", n=0)
    return list(compared)


def main() -> int:
    uv = find_uv()
    if uv is None:
        say("SKIPPED: uv is not here, so the pinned files were not compared.")
        return 0
    differing = 0
    for name in SOURCES:
        try:
            lines = drift(name, uv)
        except Offline:
            say(f"SKIPPED: offline, so {name} was not compared.")
            continue
        except Problem as problem:
            return report(problem)
        say(f"{name} differs from pyproject.toml:" if lines else f"{name} is up to date.")
        for line in lines[:SHOWN_LINES]:
            say(f"  {line}")
        differing += bool(lines)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
