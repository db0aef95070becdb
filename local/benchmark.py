"""./run bench: servers that write to disk as in production, then the benchmarks."""

import sys
from collections.abc import Sequence

from local.environment import scratch_environment
from local.processes import run_foreground
from local.servers import scratch_servers


def main(argv: Sequence[str]) -> int:
    with scratch_servers(durable=True) as servers:
        env = scratch_environment(servers.variables)
        return run_foreground([sys.executable, "-m", "bench", *argv], env=env)
