"""`python -m simulator`: start the simulator in the foreground."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from simulator import logs
from simulator.app import build
from simulator.options import Options
from simulator.server import Simulator
from simulator.state import World
from simulator.store import StateInUse, Store

_DESCRIPTION = """\
A simulator of KRA's eTIMS OSCU server. It speaks the direct API under /etims-api and the
gateway API under /etims-oscu/api/v1 (token at /v1/token/generate), refuses what the live host
refuses, signs with synthetic signatures and injects faults on request under /_simulator/.
Open the printed address in a browser to see what it holds. Nothing reaches KRA.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m simulator",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=9800, help="port (default 9800; 0 takes a free one)")
    add(
        "--state",
        metavar="DIR",
        help="folder that keeps the state across restarts; ':memory:' keeps none "
        "(default: a folder per user and port in the temporary directory)",
    )
    add(
        "--mode",
        choices=("strict", "lenient"),
        default="strict",
        help="strict checks like the 2026 gateway, lenient like the 2024 direct host; "
        "each device may have its own (default strict)",
    )
    add("--approve-any", action="store_true", help="approve unknown serial numbers on their init")
    add("--latency-ms", type=int, default=0, metavar="N", help="delay of every OSCU answer")
    add("--seed", type=int, metavar="N", help="make the cmcKeys repeatable")
    add(
        "--token-seconds",
        type=int,
        default=3599,
        metavar="N",
        help="lifetime of gateway tokens (default 3599)",
    )
    add(
        "--consumer",
        metavar="KEY:SECRET",
        help="the only credentials that get a token (default: any pair that is not empty)",
    )
    add("--app-id", metavar="ID", help="the only apigee_app_id taken (default: any)")
    add(
        "--repeat-init-corrupts",
        action="store_true",
        help="after a second init the gateway fails all calls of the device, like KRA's sandbox",
    )
    add("--quiet", action="store_true", help="log no line per call")
    return made


def options_of(found: argparse.Namespace) -> Options:
    return Options(
        mode=found.mode,
        approve_any=found.approve_any,
        latency_ms=found.latency_ms,
        seed=found.seed,
        token_seconds=found.token_seconds,
        consumer=found.consumer,
        app_id=found.app_id,
        repeat_init_corrupts=found.repeat_init_corrupts,
    )


def state_folder(state: str | None, port: int) -> Path | None:
    if state == ":memory:":
        return None
    if state:
        return Path(state)
    return Path(tempfile.gettempdir()) / f"etims-simulator-{os.getuid()}-{port}"


async def serve(found: argparse.Namespace, folder: Path | None) -> None:
    store = Store(folder)
    simulator = Simulator(World(store), options_of(found))
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
    found = parser().parse_args()
    handler = logs.start(sys.stdout.fileno(), quiet=found.quiet)
    folder = state_folder(found.state, found.port)
    try:
        asyncio.run(serve(found, folder))
    except StateInUse as exc:
        sys.stderr.write(f"simulator: {exc} is in use by another simulator\n")
        return 2
    except OSError as exc:
        sys.stderr.write(f"simulator: cannot listen on {found.host}:{found.port}: {exc}\n")
        return 2
    finally:
        handler.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
