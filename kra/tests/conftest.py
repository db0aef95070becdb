import json
from pathlib import Path

import pytest

from kra.client import Client, Timeouts
from kra.profiles import Credentials, Host, Identity, Target
from kra.tests.server import Server

DATA = Path(__file__).parent / "data"
KEY = "KEY-0F3C-NEVER-SHOWN"
SECRET = "consumer-secret-never-shown"


@pytest.fixture(scope="session")
def examples():
    return json.loads((DATA / "examples.json").read_bytes())


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def connect():
    """Clients that are impatient and are closed after the test."""
    clients = []

    def connect(*, read=0.3, **options):
        client = Client(Timeouts(connect=0.3, read=read, per_endpoint={}), **options)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def identity():
    return Identity("A123456789Z", "00", KEY)


@pytest.fixture
def direct(server, identity):
    return Target(Host("direct", server.url), identity)


@pytest.fixture
def gateway(server, identity):
    host = Host("gavaconnect", f"{server.url}/v1", f"{server.url}/token")
    return Target(host, identity, Credentials("consumer", SECRET, "app-1"))
