"""./run servers: PostgreSQL and Redis for somebody who starts the rest by hand."""

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.console import Problem, say, step
from local.environment import read_env_file, write_env_file
from local.paths import state_folder
from local.servers import Servers, scratch_servers

SERVERS_FILE = "servers.env"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run servers", description=__doc__)
    parser.parse_args(argv)
    with scratch_servers() as servers, _announced(servers) as file:
        for name, value in servers.variables.items():
            say(f"{name}={value}")
        step(f"also in {file}; Ctrl-C stops both and throws their data away")
        _stay(servers)
    return 0


@contextlib.contextmanager
def _announced(servers: Servers) -> Iterator[Path]:
    file = state_folder() / SERVERS_FILE
    write_env_file(file, servers.variables)
    try:
        yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            if read_env_file(file) == servers.variables:  # a later run may have written its own
                file.unlink()


def _stay(servers: Servers) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for child in servers.children:
                if not child.is_running:
                    raise Problem(f"{child.spec.name} stopped.", log=child.spec.log)
            time.sleep(0.5)
