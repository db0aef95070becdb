"""Servers in threads that take what the watchdog tells: HTTP and SMTP, as simple as can be."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Sink:
    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.status = 200


@contextmanager
def http_sink() -> Iterator[tuple[Sink, str]]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if sink.status == 200:
                sink.taken.append((dict(self.headers), json.loads(body), body))
            self.send_response(sink.status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, _served(server):
        yield sink, f"http://127.0.0.1:{server.server_address[1]}/hook/very-secret"


class Mailbox(socketserver.StreamRequestHandler):
    sink: Sink

    def handle(self) -> None:
        if self.sink.status != 200:
            self.say("421 not now")
            return
        self.say("220 sink")
        word = ""
        while word != "QUIT" and (line := self.rfile.readline().decode().strip()):
            word = line[:4].upper()
            if word == "DATA":
                self.say("354 go on")
                self.sink.taken.append(self.message())
            self.say("221 bye" if word == "QUIT" else "250 ok")

    def message(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return "".join(lines)

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def smtp_sink() -> Iterator[tuple[Sink, int]]:
    handler: Any = type("Handler", (Mailbox,), {"sink": Sink()})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server, _served(server):
        yield handler.sink, server.server_address[1]


@contextmanager
def _served(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
