"""./run test: throwaway servers, then pytest. Its arguments and its exit code are pytest's."""

import os
import sys
from collections.abc import Mapping, Sequence

from local.environment import scratch_environment
from local.processes import run_foreground
from local.servers import scratch_servers

MARKS = ("slow", "not slow", "long", "slow or long")
# A plugin that comes with the Redis wheel would start servers of its own.
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:valkey")


def main(argv: Sequence[str]) -> int:
    with scratch_servers() as servers:
        return run_pytest(argv, servers.variables)


def run_pytest(argv: Sequence[str], servers: Mapping[str, str]) -> int:
    return run_foreground([*PYTEST, *spread(argv), *argv], env=scratch_environment(servers))


def spread(argv: Sequence[str]) -> list[str]:
    """The whole suite over the cores; what somebody names himself runs as he says."""
    names_files = any(not arg.startswith("-") for arg in argv if arg not in MARKS)
    # One more than there are cores: some of them always wait for KRA.
    workers = min((os.cpu_count() or 1) + 1, 4)
    # A few at a time: the slow ones come first (conftest.py), in everybody's hands.
    spread_out = ["-n", str(workers), "--maxschedchunk", "4"]
    return [] if names_files or "-n" in argv else spread_out
