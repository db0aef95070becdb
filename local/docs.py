"""The pages as a site, built strictly: python -m local.docs (./run check docs) [--serve]

MkDocs comes from this environment when the group `docs` is installed in it, else from
.local/docs-venv, which is made once from requirements-docs.txt. Without a network that cannot be
done: then it says SKIPPED, and only local/tests/test_site.py has looked at links and anchors.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.console import Problem, report, say
from local.paths import ROOT, state_folder
from local.pins import find_uv
from local.processes import run_foreground

PINS = ROOT / "requirements-docs.txt"
SITE = ROOT / "build/site"
# What uv and pip say when the registry could not be asked.
OFFLINE = (
    *("error sending request", "failed to fetch", "dns error", "network connectivity"),
    *("newconnectionerror", "max retries exceeded", "name resolution", "connection refused"),
)


class Offline(Exception):
    """The registry did not answer."""


def main(argv: Sequence[str]) -> int:
    try:
        python = find_mkdocs()
        schema = write_schema(state_folder() / "openapi.json")
    except Offline:
        say("SKIPPED: MkDocs is not installed and the registry does not answer.")
        say("No page was built. pytest local/tests/test_site.py still checks links and anchors.")
        return 0
    except Problem as problem:
        return report(problem)
    return build(python, schema, serve="--serve" in argv)


def find_mkdocs() -> str:
    """A Python that has MkDocs. Raises Offline."""
    if importlib.util.find_spec("mkdocs") and importlib.util.find_spec("material"):
        return sys.executable
    folder = state_folder() / "docs-venv"
    python = folder / "bin/python"
    stamp = folder / "pins.stamp"
    wanted = hashlib.sha256(PINS.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
        install(folder)
        stamp.write_text(wanted)
    return str(python)


def install(folder: Path) -> None:
    say("Installing MkDocs into .local/docs-venv (once)")
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin/python")
    uv = find_uv()
    if uv is not None and _done(uv, "venv", "--quiet", "--python", sys.executable, str(folder)):
        pip: tuple[str, ...] = (uv, "pip", "install", "--quiet", "--python", python)
    else:
        _run(sys.executable, "-m", "venv", str(folder))
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--require-hashes", "-r", str(PINS))


def _done(*argv: str) -> bool:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).returncode == 0


def _run(*argv: str) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if any(words in done.stderr.lower() for words in OFFLINE):
        raise Offline
    raise Problem(f"{' '.join(argv[:4])} … failed:\n{done.stderr.strip()[-2000:]}")


def write_schema(file: Path) -> Path:
    argv = [sys.executable, "manage.py", "spectacular", "--format", "openapi-json"]
    _run(*argv, "--file", str(file))
    return file


def build(python: str, schema: Path, *, serve: bool) -> int:
    verb = ("serve",) if serve else ("build", "--clean")
    # Material announces other products on the terminal unless told not to.
    env = os.environ | {"OPENAPI_FILE": str(schema), "NO_MKDOCS_2_WARNING": "1"}
    code = run_foreground([python, "-m", "mkdocs", *verb, "--strict"], env=env)
    if code == 0 and not serve:
        say(f"{len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}/")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
