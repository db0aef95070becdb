"""./run bench [accept|wait|drain|read|all] [--quick|--half] [--rounds N] [--write]"""

import argparse
import dataclasses
import importlib
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench import report
from bench.cpu import Meter, busy_seconds
from bench.shops import open_shops
from bench.sizes import FULL, HALF, QUICK, Sizes
from bench.world import World, open_world, run_sql
from local.console import Problem, say, step
from local.console import report as tell

PARTS = ("accept", "wait", "drain", "read")
RESULTS = Path(__file__).parent / "RESULTS.md"
# Load average of a minute, and share of the CPU, from which others spoil a measurement.
BUSY, CROWDED = 0.7, 0.1


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _leave)
    warnings.filterwarnings("ignore", message="No directory at")
    sizes = QUICK if options.quick else HALF if options.half else FULL
    if options.rounds:
        sizes = dataclasses.replace(sizes, rounds=options.rounds)
    names = PARTS if "all" in options.part else options.part
    about = [report.now(), _load_before()]
    with tempfile.TemporaryDirectory(prefix="etims-bench-") as folder:
        try:
            with open_world(Path(folder)) as world:
                about.insert(1, report.machine(_versions(world)))
                parts = _measure(world, names, sizes)
        except Problem as problem:
            return tell(problem)  # here: the log that tells the reason is about to go
    about.append(_how(sizes, options))
    say("\n".join(about))
    if options.write:
        report.write(RESULTS, parts, about)
    return int(any(not part.rows for part in parts))


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, "all"], default=["all"])
    parser.add_argument("--quick", action="store_true", help="small sizes: proves that it works")
    parser.add_argument("--half", action="store_true", help="smaller backlogs: about 15 minutes")
    parser.add_argument("--rounds", type=int, default=0, help="instead of 3 (quick: 1)")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    return parser


def _measure(world: World, names: Sequence[str], sizes: Sizes) -> list[report.Part]:
    started = time.monotonic()
    tills = open_shops(world, sizes.devices)
    step(f"{len(tills)} devices are open after {time.monotonic() - started:.0f} s")
    parts = []
    for name in (part for part in PARTS if part in names):
        some = tills[: sizes.accept_devices] if name == "accept" else tills
        others = Others(world)
        try:
            part = importlib.import_module(f"bench.{name}").measure(world, some, sizes)
        except Problem as problem:
            part = report.Part(f"{name}: FAILED", [str(problem)], [])
            tell(problem)
        parts.append(dataclasses.replace(part, notes=[*part.notes, others.told()]))
        say(f"\n{report.text_of(parts[-1])}")
    return parts


class Others:
    """How much of the machine programs took that have no part in the measurement."""

    def __init__(self, world: World) -> None:
        self.started, self.busy = time.monotonic(), busy_seconds()
        self.ours = Meter({**world.roots(), "bench": os.getpid(), "simulator": None})

    def told(self) -> str:
        seconds = time.monotonic() - self.started
        theirs = busy_seconds() - self.busy - sum(self.ours.spent().values())
        share = max(0.0, theirs) / seconds / (os.cpu_count() or 1)
        words = "" if share < CROWDED else ": NOT quiet, to be measured again"
        told = f"it took {seconds:.0f} s; meanwhile other programs took {share:.0%} of the CPU"
        return told + words


def _versions(world: World) -> list[str]:
    server = run_sql(world.env["DATABASE_URL"], "SHOW server_version")[0][0]
    durable = run_sql(world.env["DATABASE_URL"], "SHOW synchronous_commit")[0][0]
    return [f"PostgreSQL {server.split()[0]} (synchronous_commit {durable})"]


def _load_before() -> str:
    minute, line = report.load_average()
    words = "quiet" if minute < BUSY else "NOT quiet"
    return f"load average before the run {line}: the machine was {words} when it began"


def _how(sizes: Sizes, options: argparse.Namespace) -> str:
    size = "half sizes" if options.half else "full sizes"
    if options.quick:
        size = "--quick sizes, no measurement to rely on"
    return f"{size}, {sizes.rounds} interleaved rounds: median and min – max of the rounds"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
