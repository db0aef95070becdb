"""A scripted KRA on a real socket: each step answers one request, in order."""

import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int


Step = Callable[[socket.socket, Request], bool]  # True: the connection stays open


def reply(body=b"{}", status=200, **headers) -> Step:
    def step(sock, request):
        sock.sendall(_head(status, len(body), headers) + body)
        return headers.get("Connection") != "close"

    return step


def raw(data: bytes) -> Step:
    def step(sock, request):
        sock.sendall(data)
        return False

    return step


def cut(body=b'{"resultCd":"000"', missing=10) -> Step:
    """Fewer bytes than promised, then the end."""
    return raw(_head(200, len(body) + missing, {}) + body)


def hang_up(sock, request) -> bool:
    return False


def reset(sock, request) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def dribble(pause: float = 0.03) -> Step:
    """One byte at a time, each in time, the whole never."""

    def step(sock, request):
        sock.sendall(_head(200, 1000, {}))
        try:
            for _ in range(1000):
                sock.sendall(b" ")
                time.sleep(pause)
        except OSError:
            pass
        return False

    return step


class Server:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: deque[Step] = deque()
        self.requests: list[Request] = []
        self.closed = threading.Event()  # set when a connection has been closed from this side
        self.finished = threading.Event()  # the test is over
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def silent(self, sock, request) -> bool:
        self.finished.wait(5)
        return False

    def stop(self) -> None:
        self.finished.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number = len(self._threads)
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with sock:
            try:
                if self._tls is None:
                    self._talk(sock, number)
                else:
                    with self._tls.wrap_socket(sock, server_side=True) as secure:
                        self._talk(secure, number)
            except OSError:
                pass
        self.closed.set()

    def _talk(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(0.05)
        while (request := self._read(sock, number)) is not None:
            self.requests.append(request)
            step = self.script.popleft() if self.script else reply(b"unscripted", 500)
            if not step(sock, request):
                return

    def _read(self, sock: socket.socket, number: int) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self._receive(sock)):
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._receive(sock)
        method, path, _ = first.split(" ")
        return Request(method, path, headers, body, number)

    def _receive(self, sock: socket.socket) -> bytes:
        while not self.finished.is_set():
            try:
                return sock.recv(65536)
            except TimeoutError:
                continue
        return b""


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
