"""./run COMMAND [arguments]"""

import importlib
import signal
import sys
from types import FrameType

from local.console import Problem, report, say

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMMANDS = {
    "demo": ("demo", "everything in one terminal, up to a first signed receipt (--once, --port N)"),
    "test": ("testing", "throwaway servers, then pytest; arguments pass through"),
    "check": ("check", "what CI checks, in its order"),
    "bench": ("benchmark", "durable servers, then the benchmarks; arguments pass through"),
    "servers": ("developing", "PostgreSQL and Redis only, with their URLs, until Ctrl-C"),
    "reset": ("reset", "wipe the demo's data and everything kept in .local/"),
}


def usage() -> str:
    lines = [f"  ./run {name:8} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["Usage: ./run COMMAND [arguments]", "", *lines])


def main(argv: list[str]) -> int:
    name = argv[0] if argv else "help"
    if name in ("help", "-h", "--help"):
        say(usage())
        return 0
    if name not in COMMANDS:
        return report(Problem(f"There is no ./run {name}.\n{usage()}", code=2))
    for number in ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, _leave)
    module = importlib.import_module(f"local.{COMMANDS[name][0]}")
    try:
        return int(module.main(argv[1:]))
    except Problem as problem:
        return report(problem)
    except KeyboardInterrupt:
        return 130


def _leave(number: int, frame: FrameType | None) -> None:
    for ending in ENDINGS:  # once is enough: now the children are stopped
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
