"""./run demo: everything in one terminal, from nothing to a first signed receipt."""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from local import facts, lock, story
from local.api import is_there
from local.console import Problem, report, say, step
from local.environment import application_environment, kept_secrets
from local.paths import LOGS, STATE, state_folder
from local.ports import LOOPBACK, is_free, preferred
from local.processes import Child, Spec, run_quiet, start
from local.servers import Servers, kept_servers

WEB_PORT = 8000
SIMULATOR_PORT = 9800
READY_TIMEOUT_S = 90.0
CELERY = ("-m", "celery", "-A", "etims_integration")


@dataclass(frozen=True)
class Plan:
    """Addresses and environment of one demo."""

    url: str
    simulator_url: str
    env: dict[str, str]


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    with lock.held() as held:
        port = choose_port(options.port)
        _empty_logs()
        with kept_servers() as servers, contextlib.ExitStack() as stack:
            plan = _plan(servers, port)
            children = _start_application(plan, stack)
            code = _tell_story(plan)
            if options.once:
                return code
            children.append(_start_watchdog(plan, stack))
            held.tell(pid=os.getpid(), url=plan.url, simulator_url=plan.simulator_url, ready=True)
            _print_addresses(plan)
            _stay([*servers.children, *children])
    return 0


def _tell_story(plan: Plan) -> int:
    try:
        story.tell(plan.url, plan.simulator_url)
    except Problem as problem:
        code = report(problem)
        say(f"The story failed (code {code}). Logs: {LOGS}")
        return code
    return 0


def _print_addresses(plan: Plan) -> None:
    say()
    password = plan.env["ADMIN_PASSWORD"]
    for name, text in story.addresses(plan.url, plan.simulator_url, password, facts.read()):
        say(f"  {name:12} {text}")
    say()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="stop after the story; 0 when it went well"
    )
    parser.add_argument(
        "--port", type=int, default=_port_from_environment(), help="of the web server"
    )
    return parser


def _port_from_environment() -> int | None:
    value = os.environ.get("PORT", "")
    if value and not value.isdigit():
        raise Problem(f"PORT={value} is no port number.", code=2)
    return int(value) if value else None


def choose_port(wanted: int | None) -> int:
    """The wanted port or a refusal; without a wish 8000, or any free one."""
    if wanted is None:
        port = preferred(WEB_PORT)
        if port != WEB_PORT:
            step(f"port {WEB_PORT} is busy; taking {port}")
        return port
    if not is_free(wanted):
        raise Problem(f"Port {wanted} is busy.", code=2)
    return wanted


def _empty_logs() -> None:
    state_folder()
    for log in LOGS.glob("*.log"):
        log.unlink()


def _plan(servers: Servers, port: int) -> Plan:
    url = f"http://{LOOPBACK}:{port}"
    simulator_url = f"http://{LOOPBACK}:{preferred(SIMULATOR_PORT)}"
    secrets = kept_secrets()
    env = application_environment(
        servers=servers.variables, url=url, simulator_url=simulator_url, keys=secrets
    )
    env |= {
        "BIND": f"{LOOPBACK}:{port}",
        # One web process starts sooner than two; its threads wait for KRA just as well.
        "WEB_WORKERS": os.environ.get("WEB_WORKERS", "1"),
        "WEB_THREADS": os.environ.get("WEB_THREADS", "16"),
        "ADMIN_PASSWORD": secrets["ADMIN_PASSWORD"],
        "OPERATOR_TOKEN_FILE": str(STATE / facts.OPERATOR_FILE),
    }
    return Plan(url, simulator_url, env)


def _spec(name: str, arguments: Sequence[str], plan: Plan) -> Spec:
    return Spec(name, [sys.executable, *arguments], LOGS / f"{name}.log", plan.env)


def _start_application(plan: Plan, stack: contextlib.ExitStack) -> list[Child]:
    """Start what needs no tables while the tables are made, then the rest."""
    children: dict[str, Child] = {}
    stack.callback(lambda: _stop(children.values()))
    programs = {spec.name: spec for spec in _programs(plan)}

    def launch(name: str) -> None:
        children[name] = start(programs[name])

    launch("simulator")
    launch("web")
    run_quiet(_spec("prepare", ["-m", "local.prepare"], plan))
    step("database migrated")
    launch("worker")
    for name, url in (("simulator", plan.simulator_url), ("web", f"{plan.url}/health/")):
        children[name].wait_ready(partial(is_there, url), timeout_s=READY_TIMEOUT_S)
        step(f"{name} answers at {url}")
    launch("beat")  # its sweep is a safety net: it need not hold up the first sale
    return list(children.values())


def _start_watchdog(plan: Plan, stack: contextlib.ExitStack) -> Child:
    """It watches what stays; while it starts it would only slow the story down."""
    env = plan.env | {"WATCHDOG_STATE": str(STATE / "watchdog.json")}
    child = start(replace(_spec("watchdog", ["manage.py", "watchdog"], plan), env=env))
    stack.callback(child.stop)
    return child


def _programs(plan: Plan) -> list[Spec]:
    port = plan.simulator_url.rpartition(":")[2]
    simulator = ["-m", "simulator", *simulator_options(port, STATE / "simulator")]
    web = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "etims_integration.wsgi:application"]
    worker = [*CELERY, "worker", "-P", "threads", "-c", "16", "--without-gossip"]
    beat = [*CELERY, "beat", "--schedule", str(STATE / "celerybeat-schedule"), "--pidfile="]
    return [
        _spec("simulator", simulator, plan),
        _spec("web", web, plan),
        _spec("worker", [*worker, "--without-mingle"], plan),
        _spec("beat", beat, plan),
    ]


def simulator_options(port: str, state: Path) -> list[str]:
    return ["--port", port, "--state", str(state), "--approve-any"]


def _stop(children: Collection[Child]) -> None:
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()


def _stay(children: Sequence[Child]) -> None:
    say("Ctrl-C stops everything; the data stays (./run reset wipes it).")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for child in children:
                if not child.is_running:
                    raise Problem(f"{child.spec.name} stopped.", log=child.spec.log)
            time.sleep(0.5)
    step("stopping")
