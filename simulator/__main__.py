"""`python -m simulator`: start the simulator in the foreground."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from simulator import cli, logs
from simulator.app import build
from simulator.server import Simulator
from simulator.state import World
from simulator.store import Store, Unusable


async def serve(found: argparse.Namespace, folder: Path | None) -> None:
    store = Store(folder)
    simulator = Simulator(World(store), cli.options(found))
    runner = web.AppRunner(build(simulator), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, found.host, found.port, backlog=1024)
    try:
        await site.start()
        port = runner.addresses[0][1]
        where = folder if folder is not None else "in memory"
        sys.stdout.write(
            f"simulator listening on http://{found.host}:{port} "
            f"(mode {found.mode}, state {where})\n"
        )
        sys.stdout.flush()
        await _until_stopped()
    finally:
        await runner.cleanup()
        store.close()


async def _until_stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def main() -> int:
    found = cli.parser().parse_args()
    handler = logs.start(sys.stdout.fileno(), quiet=found.quiet)
    folder = cli.state_folder(found)
    try:
        asyncio.run(serve(found, folder))
    except Unusable as exc:
        sys.stderr.write(f"simulator: {exc}\n")
        return 2
    except OSError as exc:
        sys.stderr.write(f"simulator: cannot listen on {found.host}:{found.port}: {exc}\n")
        return 2
    finally:
        handler.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
