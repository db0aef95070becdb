"""Whether the pinned requirement files still say what pyproject.toml asks for. Upgrades nothing.

Usage: python -m local.pins [--write]   (--write brings the files up to date)
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
    # Goes into the same environment as requirements.txt: where both name a package, one version.
    "requirements-telemetry.txt": ("--group", "telemetry", "--constraint", "requirements.txt"),
    "requirements-docs.txt": ("--group", "docs"),
}
OPTIONS = (
    *("--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"),
    *("--python-version", "3.11"),  # the oldest supported; newer ones would drop its markers
    *("--only-binary", ":all:"),  # a bare machine, and the image, have no compiler
)
# What uv says when the registry could not be asked, as opposed to having answered no.
OFFLINE = ("error sending request", "failed to fetch", "dns error", "network connectivity")
SHOWN_LINES = 20


class Offline(Exception):
    """The registry did not answer."""


def find_uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def compile_to(output: Path, source: Sequence[str], uv: str) -> None:
    """Resolve again. uv keeps the versions it finds in the output file while they fit."""
    argv = [uv, "pip", "compile", *source, *OPTIONS, "--python", sys.executable, "-o", str(output)]
    env = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if any(words in done.stderr.lower() for words in OFFLINE):
        raise Offline
    raise Problem(f"uv could not resolve pyproject.toml:\n{done.stderr.strip()}")


def resolve(name: str, uv: str) -> str:
    """A pinned file as it would be written now."""
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, name)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, again)
        compile_to(again, SOURCES[name], uv)
        return again.read_text(encoding="utf-8")


def is_current(name: str, uv: str) -> bool:
    try:
        fresh = resolve(name, uv).splitlines()
    except Offline:
        say(f"SKIPPED: offline, so {name} was not compared.")
        return True
    pinned = (ROOT / name).read_text(encoding="utf-8").splitlines()
    lines = list(difflib.unified_diff(pinned, fresh, name, "fresh", n=0, lineterm=""))
    say(f"{name} differs from pyproject.toml:" if lines else f"{name} is up to date.")
    for line in lines[:SHOWN_LINES]:
        say(f"  {line}")
    return not lines


def compare(uv: str) -> int:
    differing = [name for name in SOURCES if not is_current(name, uv)]
    if not differing:
        return 0
    say("python -m local.pins --write brings them up to date.")
    return 1


def write(uv: str) -> int:
    for name in SOURCES:
        (ROOT / name).write_text(resolve(name, uv), encoding="utf-8")
    return 0


def main(argv: Sequence[str]) -> int:
    uv = find_uv()
    if uv is None:
        say("SKIPPED: uv is not here, so the pinned files were not compared.")
        return 0
    try:
        return write(uv) if "--write" in argv else compare(uv)
    except Problem as problem:
        return report(problem)
    except Offline:
        return report(Problem("The registry did not answer; nothing was written."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
