"""A receiver of webhooks: a real HTTP server in a thread, which says what it is told to."""

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """`answers` are (status, headers, body) for the requests to come; the last one stays."""

    def __init__(self, context: Any = None, port: int = 0) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"ok")]
        self.delay_s = 0.0
        self.drip = False
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.receiver = self
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((headers, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """All that came, each checked as the receiver's own library checks it."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.requests]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, text = receiver.take(dict(self.headers.items()), body)
        time.sleep(receiver.delay_s)
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(text))}).items():
            self.send_header(name, value)
        if receiver.drip:
            self.flush_headers()
            for _ in range(100):
                self.wfile.write(b"X-Slow: 1\r\n")
                time.sleep(0.05)
        self.end_headers()
        self.wfile.write(text)

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        return
