"""./run test: throwaway servers, then pytest. Its arguments and its exit code are pytest's."""

import sys
from collections.abc import Mapping, Sequence

from local.environment import scratch_environment
from local.processes import run_foreground
from local.servers import scratch_servers

# A plugin that comes with the Redis wheel would start servers of its own.
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:valkey")


def main(argv: Sequence[str]) -> int:
    with scratch_servers() as servers:
        return run_pytest(argv, servers.variables)


def run_pytest(argv: Sequence[str], servers: Mapping[str, str]) -> int:
    return run_foreground([*PYTEST, *argv], env=scratch_environment(servers))
