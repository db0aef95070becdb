"""./run check: what CI checks, in its order. Every step runs, the failed ones are named at the end.

./run check lint types runs only those; ./run check --skip tests leaves one out.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from local.console import Problem, say
from local.environment import scratch_environment
from local.paths import ROOT
from local.processes import run_foreground
from local.servers import scratch_servers
from local.testing import PYTEST

TYPED = (
    *("core", "companies", "devices", "outbox", "items", "sales", "purchases", "monitoring"),
    *("kra", "simulator", "etims_integration", "local"),
)
PRODUCTION = {
    "PUBLIC_URL": "https://etims.example.com",
    "ALLOWED_HOSTS": "etims.example.com",
    "STATIC_MANIFEST": "true",
    "ADMIN_TWO_FACTOR": "true",
    "NUM_PROXIES": "1",
}
CONTAINER_TESTS = (
    "local/tests/test_containers.py",
    "local/tests/test_container_scripts.py",
    "local/tests/test_kubernetes.py",
)


class Step(NamedTuple):
    name: str
    argv: Sequence[str]
    needs_servers: bool = False
    extra: Mapping[str, str] = {}


def _module(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def steps() -> list[Step]:
    typed = [name for name in TYPED if (ROOT / name).is_dir()]
    deploy = ["check", "--deploy", "--fail-level", "ERROR"]
    schema = ["spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null"]
    return [
        Step("format", _module("ruff", "format", "--check", ".")),
        Step("lint", _module("ruff", "check", ".")),
        Step("imports", [sys.executable, "-c", LINT_IMPORTS]),
        Step("sizes", _module("local.sizes")),
        Step("types", _module("mypy", *typed), needs_servers=True),
        Step("migrations", _manage("makemigrations", "--check", "--dry-run"), needs_servers=True),
        Step("upgrade", _module("local.migration_lint"), needs_servers=True),
        Step("deploy", _manage(*deploy), needs_servers=True, extra=PRODUCTION),
        Step("schema", _manage(*schema), needs_servers=True),
        Step("pins", _module("local.pins")),
        Step("docs", _module("local.docs"), needs_servers=True),
        Step("audit", _module("local.audit")),
        Step("containers", [*PYTEST, "-q", *CONTAINER_TESTS], needs_servers=True),
        Step("tests", PYTEST, needs_servers=True),
    ]


# Its command has a shebang, which breaks in a checkout whose path has spaces or was moved.
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as main; main()"


def main(argv: Sequence[str]) -> int:
    chosen = choose(steps(), argv)
    if not any(step.needs_servers for step in chosen):
        return run(chosen, {})
    with scratch_servers() as servers:
        return run(chosen, servers.variables)


def choose(known: Sequence[Step], argv: Sequence[str]) -> list[Step]:
    names = [step.name for step in known]
    parser = argparse.ArgumentParser(prog="./run check", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="STEP", help=" ".join(names))
    parser.add_argument("--skip", action="append", default=[], choices=names)
    options = parser.parse_args(argv)
    unknown = [name for name in options.only if name not in names]
    if unknown:
        raise Problem(f"There is no step {unknown[0]}. Steps: {' '.join(names)}", code=2)
    wanted = options.only or names
    return [step for step in known if step.name in wanted and step.name not in options.skip]


def run(chosen: Sequence[Step], servers: Mapping[str, str]) -> int:
    failed = [step.name for step in chosen if not passes(step, servers)]
    if failed:
        say(f"\ncheck: FAILED: {', '.join(failed)}")
        return 1
    say(f"\ncheck: all {len(chosen)} steps passed")
    return 0


def passes(step: Step, servers: Mapping[str, str]) -> bool:
    say(f"\n=== {step.name} ===")
    started = time.monotonic()
    env = scratch_environment(servers) | dict(step.extra)
    code = run_foreground(step.argv, env=env)
    verdict = "passed" if code == 0 else f"FAILED (code {code})"
    say(f"=== {step.name}: {verdict} in {time.monotonic() - started:.1f} s")
    return code == 0
