"""Refuses what has grown too large: functions and files beyond the house limits.

Usage: python -m local.sizes [folder]
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.console import say
from local.paths import ROOT

FUNCTION, TEST_FUNCTION = 50, 40
FILE, TEST_FILE, SETTINGS_FILE = 400, 600, 500
SKIPPED = {"migrations", "node_modules", "build", "staticfiles", "__pycache__"}


def sources(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not any(part in SKIPPED or part.startswith(".") for part in parts):
            yield path


def is_test(path: Path) -> bool:
    return "tests" in path.parts or path.name.startswith("test_") or path.name == "conftest.py"


def file_limit(path: Path) -> int:
    if path.name == "settings.py":
        return SETTINGS_FILE
    return TEST_FILE if is_test(path) else FILE


def offenders(root: Path) -> Iterator[str]:
    for path in sources(root):
        name = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        lines, limit = len(text.splitlines()), file_limit(name)
        if lines > limit:
            yield f"{name}: {lines} lines, at most {limit}"
        yield from (f"{name}:{found}" for found in _functions(ast.parse(text), is_test(name)))


def _functions(tree: ast.AST, in_tests: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        limit = TEST_FUNCTION if in_tests and node.name.startswith("test_") else FUNCTION
        if lines > limit:
            yield f"{node.lineno}: {node.name} has {lines} lines, at most {limit}"


def main(argv: Sequence[str]) -> int:
    found = list(offenders(Path(argv[0]).resolve() if argv else ROOT))
    for line in found:
        say(line)
    say(f"{len(found)} too large" if found else "Nothing is too large.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
