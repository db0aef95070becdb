"""The command line."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from simulator.options import Options

_DESCRIPTION = """\
A simulator of KRA's eTIMS OSCU server. It speaks the direct API under /etims-api and the
gateway API under /etims-oscu/api/v1 (token at /v1/token/generate), refuses what the live host
refuses, signs with synthetic signatures and injects faults on request under /_simulator/.
Open the printed address in a browser to see what it holds. Nothing reaches KRA.
"""
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--host": {"default": "127.0.0.1", "help": "address to listen on (default: this machine only)"},
    "--port": {"type": int, "default": 9800, "help": "port (default 9800; 0 takes a free one)"},
    "--state": {
        "metavar": "DIR",
        "help": "folder that keeps the state across restarts; ':memory:' keeps none "
        "(default: a folder per user and port in the temporary directory)",
    },
    "--mode": {
        "choices": ("strict", "lenient"),
        "default": "strict",
        "help": "strict checks like the 2026 gateway, lenient like the 2024 direct host; a device "
        "may have its own mode (default strict)",
    },
    "--approve-any": {
        "action": "store_true",
        "help": "approve an unknown serial number when it initialises",
    },
    "--latency-ms": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "delay of every OSCU answer in milliseconds",
    },
    "--seed": {
        "type": int,
        "metavar": "N",
        "help": "make communication keys and random faults repeatable",
    },
    "--token-seconds": {
        "type": int,
        "default": 3599,
        "metavar": "N",
        "help": "lifetime of gateway tokens (default 3599)",
    },
    "--consumer": {
        "metavar": "KEY:SECRET",
        "help": "the only credentials that get a token (default: any pair that is not empty)",
    },
    "--app-id": {"metavar": "ID", "help": "the only apigee_app_id taken (default: any)"},
    "--repeat-init-corrupts": {
        "action": "store_true",
        "help": "after a second initialisation the gateway fails every call of the device, as "
        "KRA's sandbox does",
    },
    "--quiet": {"action": "store_true", "help": "do not log a line per call"},
}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m simulator",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, settings in _ARGUMENTS.items():
        made.add_argument(name, **settings)
    return made


def options(found: argparse.Namespace) -> Options:
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


def state_folder(found: argparse.Namespace) -> Path | None:
    if found.state == ":memory:":
        return None
    if found.state:
        return Path(found.state)
    return Path(tempfile.gettempdir()) / f"etims-simulator-{os.getuid()}-{found.port}"
