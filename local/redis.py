"""A Redis (or Valkey, its free successor) of our own on a free loopback port."""

import secrets
import socket
from pathlib import Path

from local import binaries
from local.ports import LOOPBACK, free_port
from local.processes import Child, Spec, start

READY_TIMEOUT_S = 30.0


def start_redis(home: Path, *, log: Path, throwaway: bool) -> tuple[Child, str]:
    """Start a server that keeps its data in `home`; its child and its URL."""
    program = binaries.find_redis().program
    folder = home / "redis"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port, password = free_port(), secrets.token_hex(16)
    config = folder / "server.conf"
    config.touch(mode=0o600)  # it holds the password
    config.write_text(configuration(folder, port=port, password=password, throwaway=throwaway))
    child = start(Spec("Redis", [str(program), str(config)], log))
    try:
        child.wait_ready(lambda: _answers(port, password), timeout_s=READY_TIMEOUT_S)
    except BaseException:
        child.stop()
        raise
    return child, f"redis://:{password}@{LOOPBACK}:{port}/0"


def configuration(folder: Path, *, port: int, password: str, throwaway: bool) -> str:
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        f"requirepass {password}",
        f"dir {_quoted(str(folder))}",
        "daemonize no",
        "maxmemory-policy noeviction",
        'save ""' if throwaway else "save 60 1",
        f"appendonly {'no' if throwaway else 'yes'}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                piece = connection.recv(100)
                if not piece:
                    return False
                answer += piece
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
