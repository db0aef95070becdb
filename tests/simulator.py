"""KRA's side for tests: the real simulator, in a process of its own, driven over HTTP."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

http = urllib3.PoolManager(timeout=10.0, retries=False)


@dataclass(frozen=True)
class Simulator:
    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        response = http.request(
            method,
            f"{self.url}/_simulator/{path}",
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        assert response.status < 400, (response.status, response.data)
        return json.loads(response.data or b"null")

    def approve(self, pin: str, branch: str, serial: str, **more: Any) -> None:
        self.call("POST", "devices", {"pin": pin, "branch": branch, "serial": serial} | more)

    def fault(self, name: str, endpoint: str = "sales_save", **more: Any) -> None:
        self.call("POST", "faults", {"fault": name, "endpoint": endpoint} | more)

    def heal(self) -> None:
        self.call("DELETE", "faults")
        self.call("PUT", "outage", {"down": False})

    def outage(self, down: bool) -> None:
        self.call("PUT", "outage", {"down": down})

    def ledger(self, pin: str, branch: str = "00") -> Any:
        return self.call("GET", f"ledger?{urlencode({'pin': pin, 'branch': branch})}")

    def reset(self) -> None:
        self.call("POST", "reset")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Simulator]:
    port = free_port()
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--state", ":memory:"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
    simulator = Simulator(f"http://127.0.0.1:{port}")
    until = time.monotonic() + 20
    while True:
        try:
            simulator.call("GET", "stats")
            return process, simulator
        except urllib3.exceptions.HTTPError:
            if time.monotonic() > until or process.poll() is not None:
                process.kill()
                raise
            time.sleep(0.05)
