"""./run demo: everything in one terminal, from nothing to a first signed receipt."""

import argparse
import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local import lock, story
from local.console import Problem, say, step
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
            _prepare(plan)
            children = _start_application(plan, stack)
            code = story.tell(plan.url, plan.simulator_url, plan.env)
            if code:
                say(f"The story failed (code {code}). Logs: {LOGS}")
            if options.once:
                return code
            held.tell(pid=os.getpid(), url=plan.url, simulator_url=plan.simulator_url, ready=True)
            story.print_addresses(plan.url, plan.simulator_url, plan.env)
            _stay([*servers.children, *children])
    return 0


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
        "ADMIN_PASSWORD": secrets["ADMIN_PASSWORD"],
        "DEMO_FACTS": str(STATE / story.FACTS_FILE),
    }
    return Plan(url, simulator_url, env)


def _prepare(plan: Plan) -> None:
    """Bring the tables and the static files up to date, at the same time."""
    both = [
        start(_manage("migrate", ["--noinput", "--verbosity=1"], plan)),
        start(_manage("collectstatic", ["--noinput", "--verbosity=0"], plan)),
    ]
    try:
        for child in both:
            child.finish()
    finally:
        _stop(both)
    step("database migrated, static files collected")


# The password is set each time: the file with the secrets may be newer than the database.
ADMINISTRATOR = """
import os
from django.contrib.auth import get_user_model
user, _ = get_user_model().objects.get_or_create(username="admin")
user.is_staff = user.is_superuser = True
user.set_password(os.environ["ADMIN_PASSWORD"])
user.save()
"""


def _manage(command: str, options: Sequence[str], plan: Plan) -> Spec:
    return _spec(command, ["manage.py", command, *options], plan)


def _spec(name: str, arguments: Sequence[str], plan: Plan) -> Spec:
    return Spec(name, [sys.executable, *arguments], LOGS / f"{name}.log", plan.env)


def _start_application(plan: Plan, stack: contextlib.ExitStack) -> list[Child]:
    """Start all programs at once, then wait for the two that answer."""
    children: dict[str, Child] = {}
    stack.callback(lambda: _stop(children.values()))
    for spec in _programs(plan):
        children[spec.name] = start(spec)
    run_quiet(_manage("shell", ["--verbosity=0", "--command", ADMINISTRATOR], plan))
    for name, url in (("simulator", plan.simulator_url), ("web", f"{plan.url}/health/")):
        children[name].wait_ready(partial(answers, url), timeout_s=READY_TIMEOUT_S)
        step(f"{name} answers at {url}")
    return list(children.values())


def _programs(plan: Plan) -> list[Spec]:
    port = plan.simulator_url.rpartition(":")[2]
    schedule = STATE / "celerybeat-schedule"
    return [
        _spec(
            "simulator", ["-m", "simulator", *simulator_options(port, STATE / "simulator")], plan
        ),
        _spec(
            "web",
            [
                "-m",
                "gunicorn",
                "-c",
                "deploy/gunicorn.conf.py",
                "etims_integration.wsgi:application",
            ],
            plan,
        ),
        _spec(
            "worker",
            [
                *CELERY,
                "worker",
                "-P",
                "threads",
                "-c",
                "16",
                "--without-gossip",
                "--without-mingle",
            ],
            plan,
        ),
        _spec("beat", [*CELERY, "beat", "--schedule", str(schedule), "--pidfile="], plan),
    ]


def simulator_options(port: str, state: Path) -> list[str]:
    return ["--port", port, "--state", str(state), "--approve-any"]


def answers(url: str) -> bool:
    """Whether a web server is there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


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
