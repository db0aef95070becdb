import itertools
from collections.abc import Callable, Iterator

import pytest

from simulator.tests.client import Device, Server

_pins = itertools.count(1)


@pytest.fixture(scope="session")
def shared() -> Iterator[Server]:
    """One strict simulator for all tests that leave nothing behind for others."""
    server = Server("--state", ":memory:", "--quiet")
    yield server
    server.stop()


@pytest.fixture
def server(shared: Server) -> Server:
    shared.control("POST", "/reset")
    return shared


@pytest.fixture
def launch() -> Iterator[Callable[..., Server]]:
    """Start simulators with arguments of their own."""
    started: list[Server] = []

    def launch(*arguments: str) -> Server:
        started.append(Server(*arguments))
        return started[-1]

    yield launch
    for one in started:
        if one.process.returncode is None:
            one.stop()


@pytest.fixture
def pin() -> str:
    return f"A{next(_pins):09d}Z"


@pytest.fixture
def device(server: Server, pin: str) -> Device:
    """A strict device on the direct transport."""
    server.approve(pin)
    return Device(server, pin).start()


@pytest.fixture
def gateway(server: Server, pin: str) -> Device:
    """A strict device behind the gateway."""
    server.approve(pin)
    return Device(server, pin, gateway=True).start()


@pytest.fixture
def lenient(server: Server, pin: str) -> Device:
    server.approve(pin, mode="lenient")
    return Device(server, pin).start()
