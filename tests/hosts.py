"""Hosts of their own for processes: network namespaces on a bridge. A cable can be pulled out."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

# For tests of networks (RFC 2544): nobody's addresses.
NET = f"198.18.{os.getpid() % 250 + 1}"
NAME = f"e{os.getpid() % 1_000_000}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)


def why_not() -> str:
    """The reason why there can be no namespaces here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "iproute2 is not installed"
    tried = f"{NAME}try"
    try:
        ip("netns", "add", tried)
        try:
            ip("netns", "exec", tried, "true")
            ip("link", "add", tried, "type", "bridge")
            ip("link", "del", tried)
        finally:
            ip("netns", "del", tried)
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.strip()[:100]}"
    return ""


@dataclass
class Network:
    names: list[str] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        return f"{NET}.1"

    def add(self) -> str:
        """A new host; its name."""
        name = f"{NAME}h{len(self.names) + 1}"
        self.names.append(name)
        ip("netns", "add", name)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", name, "master", NAME, "up")
        for words in (
            ("addr", "add", f"{self.address(name)}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", name, *words)
        return name

    def address(self, name: str) -> str:
        return f"{NET}.{10 + self.names.index(name)}"

    def within(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", name]

    def cut(self, name: str) -> None:
        ip("link", "set", name, "down")

    def heal(self, name: str) -> None:
        ip("link", "set", name, "up")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    made = Network()
    ip("link", "add", NAME, "type", "bridge")
    try:
        ip("addr", "add", f"{made.gateway}/24", "dev", NAME)
        ip("link", "set", NAME, "up")
        yield made
    finally:
        for name in made.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        ip("link", "del", NAME)


@contextlib.contextmanager
def relayed(host: str, *ports: int) -> Iterator[None]:
    argv = [sys.executable, "-m", "tests.relay", host, *map(str, ports)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()
