"""What a person reads in the terminal."""

import sys
import time
from pathlib import Path

_STARTED = time.monotonic()
TAIL_LINES = 30


class Problem(Exception):
    """The command cannot go on. The message is the one sentence a person needs."""

    def __init__(self, message: str, *, code: int = 1, log: Path | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.log = log


def say(message: str = "") -> None:
    print(message, flush=True)


def step(message: str) -> None:
    """A progress line with the time since the start."""
    say(f"[{time.monotonic() - _STARTED:5.1f} s] {message}")


def report(problem: Problem) -> int:
    """Print a problem, with the end of its log, and return the exit code."""
    if problem.log is not None:
        sys.stderr.write(f"--- the end of {problem.log} ---\n{tail(problem.log)}\n---\n")
    sys.stderr.write(f"{problem}\n")
    sys.stderr.flush()
    return problem.code


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        return f"(no log: {exc.strerror})"
    return "\n".join(text.splitlines()[-lines:])
